"""Give actions what they act through: a machine's shell and the objects of S3."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Result:
    """How a command on the machine ended; `stdout` is its beginning where it is long."""

    exit_code: int
    stdout: str = ""


class Objects(Protocol):
    """Objects in S3 by `s3://bucket/key`. `owner` is the account a bucket must belong to, "" for any.

    Everything raises ActionFailed.
    """

    def read(self, uri: str, owner: str = "") -> bytes:
        """Read an object."""
        ...

    def below(self, prefix: str, owner: str = "") -> list[str]:
        """List the objects whose URI begins with the prefix, in order, those of all pages."""
        ...

    def write(self, uri: str, content: bytes, owner: str = "") -> None:
        """Make or replace an object."""
        ...


class Shell(Protocol):
    """The machine as one step sees it: its time runs, its output is logged."""

    @property
    def objects(self) -> Objects:
        """The objects of S3, as the machine's profile may reach them."""
        ...

    def run(self, *argv: str, stdin: bytes = b"", quiet: bool = False) -> Result:
        """Run a command as root; a quiet one's output is not logged."""
        ...

    def reboot(self) -> None:
        """Restart the machine and come back when it runs."""
        ...


class ActionFailed(Exception):
    """An action could not be done, for the reason given."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step gives back; `outputs` is what later steps can refer to."""

    exit_code: int
    outputs: dict[str, Any] = field(default_factory=dict)


def bash(shell: Shell, script: str, *arguments: Any, stdin: bytes = b"", quiet: bool = False) -> Result:
    """Run a script of ours, its arguments as "$1", "$2", ...; booleans as true and false."""
    words = [str(word).lower() if isinstance(word, bool) else str(word) for word in arguments]
    return shell.run("/bin/bash", "-c", script, "action", *words, stdin=stdin, quiet=quiet)


def is_set(item: Any, name: str, *, default: bool = False) -> bool:
    """Whether a flag of an item is true; a filled reference makes it text."""
    return str(item.get(name, default)).lower() == "true"
