"""An EC2 Image Builder of the local cloud's own that really runs component documents."""

from localcloud.imagebuilder.server import ImageBuilderServer

__all__ = ["ImageBuilderServer"]
