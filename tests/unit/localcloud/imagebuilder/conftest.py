"""Give the interpreter's tests a machine: a folder of this one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from localcloud.imagebuilder.acting import ActionFailed
from localcloud.imagebuilder.cancellation import Cancellation
from localcloud.imagebuilder.document import parse
from localcloud.imagebuilder.interpreter import Interpreter, StepFailure, values_of
from localcloud.imagebuilder.shell import MachineShell


@dataclass(frozen=True)
class FolderSpawn:
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str | None


class FolderMachine:
    """Runs commands here, with its folder as HOME and TMPDIR."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def spawn(self, argv: Sequence[str], *, user: str, env: Mapping[str, str] = {}) -> FolderSpawn:
        base = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        return FolderSpawn(argv, {**base, **env}, str(self.folder))

    def document_parameters(self) -> dict[str, str]:
        return {"Home": str(self.folder)}


class FolderObjects(dict[str, bytes]):
    """S3 as a table of objects by their URI; its buckets belong to the account 000000000000."""

    def read(self, uri: str, owner: str = "") -> bytes:
        self._check(uri, owner)
        return self[uri]

    def below(self, prefix: str, owner: str = "") -> list[str]:
        self._check(prefix, owner)
        return sorted(uri for uri in self if uri.startswith(prefix))

    def write(self, uri: str, content: bytes, owner: str = "") -> None:
        self._check(uri, owner)
        self[uri] = content

    def _check(self, uri: str, owner: str) -> None:
        if owner not in ("", "000000000000"):
            raise ActionFailed(f"{uri} belongs to somebody else")


class Bench:
    """Runs documents and shell commands in a folder; `log` holds what the build's log would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machine = FolderMachine(folder)
        self.log: list[str] = []
        self.restarts: list[str] = []
        self.killed: list[str] = []
        self.objects = FolderObjects()
        self.components: dict[str, str] = {}
        self.cancellation = Cancellation()

    def shell(self, deadline: float | None = None) -> MachineShell:
        return MachineShell(
            "i-1",
            machine_of=lambda _: self.machine,
            working_directory="",
            deadline=deadline,
            cancellation=self.cancellation,
            log=self.log.append,
            restart=self.restarts.append,
            on_killed=self.killed.append,
            objects=self.objects,
        )

    def run(self, text: str, *phases: str, **given: str) -> StepFailure | None:
        """Run a document's phases; gives the first failure."""
        document = parse(text)
        values = values_of(document, given, self.machine.document_parameters())
        interpreter = Interpreter(
            document,
            values,
            shell_of=self.shell,
            log=self.log.append,
            component_of=self.components.__getitem__,
        )
        failures = (interpreter.run(phase) for phase in phases or ("build",))
        return next((failure for failure in failures if failure is not None), None)

    @property
    def printed(self) -> list[str]:
        return [line.removeprefix("Stdout: ") for line in self.log if line.startswith("Stdout: ")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.cancellation.close()


@pytest.fixture
def steps() -> Callable[[str], str]:
    """Make a document of a build phase from its steps."""

    def document(text: str) -> str:
        return f"schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{text}"

    return document
