"""Find the document that ExecuteDocument runs inside another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.imagebuilder import document
from localcloud.imagebuilder.acting import ActionFailed, Shell

_DEEPEST = 4

ComponentOf = Callable[[str], str]
"""Gives the document of a component by its ARN; raises ActionFailed."""


def read(
    inputs: Mapping[str, Any], shell: Shell, component_of: ComponentOf, chain: tuple[document.Document, ...]
) -> document.Document:
    """Read the document from a path on the machine, from S3 or from a component; raises ActionFailed.

    `chain` are the documents under way, the outermost first: none of them may be run again, and with the new one they
    are at most four.
    """
    name = str(inputs["document"])
    try:
        found = document.parse(_text(name, str(inputs.get("document-s3-bucket-owner", "")), shell, component_of))
    except document.DocumentRefused as error:
        raise ActionFailed(f"{name} is no component document: {error}") from error
    if found in chain:
        raise ActionFailed(f"{name} would run itself again")
    if len(chain) >= _DEEPEST:
        raise ActionFailed(f"{name} is nested too deep: documents run each other at most {_DEEPEST - 1} levels deep")
    return found


def phases(inputs: Mapping[str, Any], found: document.Document) -> list[str]:
    """The phases to run, in the document's order; raises ActionFailed for one that the document lacks."""
    own = [phase.name for phase in found.phases]
    wanted = [name.strip() for name in str(inputs.get("phases", "")).split(",") if name.strip()] or own
    missing = [name for name in wanted if name not in own]
    if missing:
        raise ActionFailed(f"{inputs['document']} has no phase {', '.join(missing)}")
    return [name for name in own if name in wanted]


def _text(name: str, owner: str, shell: Shell, component_of: ComponentOf) -> str:
    if name.startswith("arn:"):
        return component_of(name)
    if name.startswith("s3://"):
        return shell.objects.read(name, owner).decode(errors="replace")
    result = shell.run("cat", "--", name, quiet=True)
    if result.exit_code != 0:
        raise ActionFailed(f"no document {name} on the machine")
    return result.stdout
