"""Everything that runs a component document on a machine, and what it leaves."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients.local import LocalTransport
from imagebuilder import documents
from imagebuilder.running import Execution, Machine
from localcloud.imagebuilder.acting import ActionFailed
from localcloud.imagebuilder.cancellation import Cancellation
from localcloud.imagebuilder.document import parse
from localcloud.imagebuilder.interpreter import Interpreter, values_of
from localcloud.imagebuilder.shell import MachineShell

Log = list[str]
RunPhase = Callable[[str], tuple[str, str, str] | None]
"""Runs a phase; gives action, phase and step of the failure that counts."""

_SPEAKS = re.compile(r"(Stdout|Stderr): ")
_REASONS = re.compile(r"exit code \d+|timed out after \d+ seconds|its condition says Abort")
_SAYS_ITS_OWN = ("ExecuteBash", "ExecuteBinary")


@contextmanager
def over_a_transport(source: str, home: Path, log: Log) -> Iterator[RunPhase]:
    """Our own, over a transport."""
    document = documents.parse(source, Path("document.yml"))
    values = {parameter.name: str(home) for parameter in document.parameters if parameter.name == "Home"}
    with Machine(LocalTransport(home), restart=lambda: LocalTransport(home)) as machine:
        execution = Execution("document", document, machine, values=values, log=log.append)

        def run(phase: str) -> tuple[str, str, str] | None:
            failure = execution.run(phase)
            return (failure.action, failure.phase, failure.step) if failure else None

        yield run


@contextmanager
def emulated(source: str, home: Path, log: Log) -> Iterator[RunPhase]:
    """The local cloud's, as a build there uses it."""
    document = parse(source)
    machine = _Folder(home)
    cancellation = Cancellation()

    def shell(deadline: float | None) -> MachineShell:
        return MachineShell(
            "i-1",
            machine_of=lambda _: machine,
            working_directory="",
            deadline=deadline,
            cancellation=cancellation,
            log=log.append,
            restart=lambda _: None,
            on_killed=lambda _: None,
            objects=_NoObjects(),
        )

    values = values_of(document, {}, machine.document_parameters())
    interpreter = Interpreter(document, values, shell_of=shell, log=log.append, component_of=_no_component)

    def run(phase: str) -> tuple[str, str, str] | None:
        failure = interpreter.run(phase)
        return (failure.action, failure.phase, failure.step) if failure else None

    try:
        yield run
    finally:
        cancellation.close()


EXECUTORS = {"over a transport": over_a_transport, "emulated": emulated}


def told(executor: str, source: str, home: Path) -> str:
    """Run build and validate as a build does, and tell the log, the end and the files it left."""
    log: Log = []
    with EXECUTORS[executor](source, home, log) as run:
        failure = run("build") or run("validate")
    end = f"failed: {' '.join(failure)}" if failure else "succeeded"
    return "\n".join([*_comparable(log, home), end, *_tree(home)]) + "\n"


def _comparable(log: Sequence[str], home: Path) -> list[str]:
    """The log without what may differ: which of the two outputs came first, and in which words a tool complains."""
    lines: list[str] = []
    said: dict[str, list[str]] = {"Stdout": [], "Stderr": []}
    action = ""
    for line in [*log, "end"]:
        found = _SPEAKS.match(line)
        if found:
            if action in _SAYS_ITS_OWN and not (found[1] == "Stderr" and "/" in line):
                said[found[1]].append(line.replace(str(home), "HOME"))
            continue
        lines += [*said["Stdout"], *said["Stderr"]]
        said = {"Stdout": [], "Stderr": []}
        if line.endswith(": STARTED EXECUTION"):
            action = line.removesuffix(": STARTED EXECUTION")
        if " failed: " in line and not _REASONS.fullmatch(line.partition(" failed: ")[2]):
            line = f"{line.partition(' failed: ')[0]} failed: ..."
        lines.append(line)
    return [line for line in lines[:-1] if not line.startswith(("Document ", "Restarting "))]


def _tree(home: Path) -> Iterator[str]:
    for path in sorted(home.rglob("*")):
        name, mode = path.relative_to(home), stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            yield f"{name} -> {str(path.readlink()).replace(str(home), 'HOME')}"
        elif path.is_dir():
            yield f"{mode:04o} {name}/"
        else:
            yield f"{mode:04o} {name} {path.read_text()!r}".replace(str(home), "HOME")


@dataclass(frozen=True)
class _Spawn:
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str | None


class _NoObjects:
    """An S3 without any object."""

    def read(self, uri: str, owner: str = "") -> bytes:
        raise ActionFailed(f"no object {uri}")

    def below(self, prefix: str, owner: str = "") -> list[str]:
        return []

    def write(self, uri: str, content: bytes, owner: str = "") -> None:
        raise ActionFailed(f"no bucket of {uri}")


def _no_component(arn: str) -> str:
    raise ActionFailed(f"no component {arn}")


class _Folder:
    """A machine that is this one, but for its home."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def spawn(self, argv: Sequence[str], *, user: str, env: Mapping[str, str] = {}) -> _Spawn:
        return _Spawn(argv, {"PATH": os.environ["PATH"], "HOME": str(self._home), **env}, str(self._home))

    def document_parameters(self) -> dict[str, str]:
        return {"Home": str(self._home)}
