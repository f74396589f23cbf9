"""Give an action what it works with during one attempt at a step."""

from __future__ import annotations

import base64
import shlex
from dataclasses import dataclass, field

from imagebuilder.running.machine import Machine
from imagebuilder.running.output import Log, Output
from imagebuilder.running.ports import Documents, ObjectStore


class ActionFailed(Exception):
    """An action could not be done, for the reason given."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended, with what later steps can refer to."""

    exit_code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """How a script ended; `stdout` is its beginning where it is long."""

    exit_code: int
    stdout: bytes

    @property
    def text(self) -> str:
        """What it printed, without the line ends at its end, undecodable bytes replaced."""
        return self.stdout.decode("utf-8", "replace").rstrip("\n")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one step: its machine and its log, until its deadline (monotonic clock, None for none).

    `depth` counts the documents that run each other.
    """

    machine: Machine
    log: Log
    deadline: float | None
    objects: ObjectStore | None = None
    documents: Documents = field(default_factory=dict)
    depth: int = 0

    def bash(self, script: str, *words: object, content: bytes = b"", quiet: bool = False) -> Result:
        """Run a bash script with `words` as "$1", "$2", ...; truth values are true and false.

        `content` is what its function `content` prints. Of a quiet one only the errors are logged. Raises what
        `Machine.run` does.
        """
        arguments = " ".join(shlex.quote(str(word).lower() if isinstance(word, bool) else str(word)) for word in words)
        lines = [f"set -- {arguments}"] if words else []
        if content:
            # a script is text, and cannot hold just any bytes
            lines.append(f"content() {{ base64 -d <<'end'\n{base64.encodebytes(content).decode()}end\n}}")
        elif words:
            lines.append("content() { :; }")
        output = Output(self.log, keeps_quiet=quiet)
        code = self.machine.run("\n".join([*lines, script]), output, deadline=self.deadline)
        return Result(code, output.stdout)

    def check(self, script: str) -> bool:
        """Whether a short script of ours ends with 0."""
        return self.machine.check(script, deadline=self.deadline)
