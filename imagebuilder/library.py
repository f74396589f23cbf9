"""Read the component documents that come with Rampart, each once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from imagebuilder import documents
from imagebuilder.documents import Document


@dataclass(frozen=True, slots=True)
class Written:
    """A document, and how Image Builder gets it."""

    document: Document
    text: str


@cache
def read(name: str) -> Written:
    """Give the document `components/{name}.yml` of this package."""
    source = resources.files("imagebuilder") / "components" / f"{name}.yml"
    return written(documents.parse(source.read_bytes(), Path(f"{name}.yml")))


def written(document: Document) -> Written:
    """Give a document with its text."""
    return Written(document, documents.render(document))
