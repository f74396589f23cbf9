"""An EC2 Image Builder of the local cloud's own that really runs component documents.

It builds AMIs, by AWS's standard workflows, in the region a request is signed for. It does not have containers, own
workflows, distribution to other regions, or AWSTOE's actions for Windows: what it does not have it refuses by name.
Schedules and lifecycle policies it keeps and shows, and never acts on.
"""

from localcloud.imagebuilder.server import ImageBuilderServer

__all__ = ["ImageBuilderServer"]
