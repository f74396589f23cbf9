"""Make an event's machine image over SSH: build on one rented machine, test on another made from the image."""

from imagebuilder.bake.baking import bake
from imagebuilder.bake.beside import Up, refuse_beside_another
from imagebuilder.bake.order import Order
from imagebuilder.bake.ports import Images, RunDocuments

__all__ = ["Images", "Order", "RunDocuments", "Up", "bake", "refuse_beside_another"]
