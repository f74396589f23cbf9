"""The command that looks at image component documents without a cloud: lint-images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, JSON_HELP, command

if TYPE_CHECKING:
    from pathlib import Path

    from imagebuilder.lint import Lint


@command(
    iterable=["path"],
    help=EVENT_HELP
    | JSON_HELP
    | {
        "path": "a document, or a folder of them; may be given several times (default: the library of Rampart)",
        "event": "instead: the documents that this event's image is made of, its own ones among them",
    },
)
def lint_images(
    path: list[str] | None = None, event: str | None = None, config: str | None = None, json: bool = False
) -> None:
    """Say what is wrong with image component documents, before a build does. Asks no cloud, changes nothing.

    Example: invoke lint-images --path events/iris/install-cmake.yml
    """
    from contracts.findings import Level
    from tasks import console

    found = _look(path or [], event, config)
    open_ones = [one for one in found if one.allowed is None]
    if json:
        console.data([_as_data(one) for one in found])
    else:
        for one in open_ones:
            console.result(str(one), style="red" if one.level is Level.ERROR else "yellow")
    errors = sum(one.level is Level.ERROR for one in open_ones)
    console.say(_summary(errors, len(open_ones) - errors, len(found) - len(open_ones)))
    if errors:
        console.next_step("mend what is an error, then the same command again")
        sys.exit(1)


def _look(paths: Sequence[str], event: str | None, config: str | None) -> list[Lint]:
    from importlib import resources
    from pathlib import Path

    from contracts.errors import AskedWrongly
    from imagebuilder import lint
    from tasks.events import open_event

    if event:
        if paths:
            raise AskedWrongly("either --path or --event", hint="--event looks at the event's own documents too")
        return list(lint.lint_event(open_event(event, config=config)))
    if config:
        raise AskedWrongly("--config belongs to an event", hint="name it: --event NAME")
    if paths:
        documents = lint.files([Path(each) for each in paths])
    else:
        with resources.as_file(resources.files("imagebuilder") / "components") as library:
            documents = lint.files([library])
    return [one for document in documents for one in lint.lint_file(_short(document))]


def _short(path: Path) -> Path:
    """Name a file below the current folder from there, as it would be typed."""
    from pathlib import Path

    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _as_data(one: Lint) -> dict[str, object]:
    return {
        "file": str(one.path),
        "line": one.line,
        "level": one.level,
        "check": one.check,
        "message": one.message,
        "remedy": one.remedy,
        "allowed": one.allowed,
    }


def _summary(errors: int, warnings: int, allowed: int) -> str:
    """`1 error, 2 warnings, 3 allowed by comments`."""
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in ((errors, "error"), (warnings, "warning"))]
    return ", ".join([*parts, *([f"{allowed} allowed by comments"] if allowed else [])])
