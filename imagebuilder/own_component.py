"""Read the component documents that an organiser adds to the image."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import BadDocument, Problem
from contracts.infra import OwnComponent
from imagebuilder import documents
from imagebuilder.documents import Document

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class OwnDocument:
    """A document as its author wrote it: `data` is its text, `name` comes from the file's and is no other one's."""

    name: str
    data: str
    parameters: dict[str, str]
    description: str


def read(components: Sequence[OwnComponent]) -> list[OwnDocument]:
    """Read each document and look whether its parameters have values. Raises BadDocument with all that is wrong."""
    found: dict[str, OwnDocument] = {}
    problems: list[Problem] = []
    for component in components:
        path, name = component.document, _name(component.document, found)
        try:
            document = documents.load(path)
            data = path.read_text("utf-8")
        except BadDocument as error:
            problems += error.problems
            continue
        problems += _parameter_problems(component, document)
        found[name] = OwnDocument(name, data, dict(component.parameters), document.description or path.name)
    if problems:
        raise BadDocument(problems)
    return list(found.values())


def _name(path: Path, taken: dict[str, OwnDocument]) -> str:
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem).strip("-")[:_LONGEST_NAME] or "document"
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def _parameter_problems(component: OwnComponent, document: Document) -> Iterator[Problem]:
    path, given = component.document, component.parameters
    declared = {parameter.name: parameter.default for parameter in document.parameters}
    for name in sorted(given.keys() - declared.keys()):
        remedy = f"declared: {', '.join(declared) or 'none'}"
        yield Problem(path, None, name, "the document has no such parameter", remedy)
    for name, default in declared.items():
        if default is None and name not in given:
            remedy = "give it in infra.image.components, below parameters"
            yield Problem(path, None, name, "has neither a value nor a default", remedy)
