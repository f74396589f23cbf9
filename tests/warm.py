"""Run commands as processes of their own that begin with what they would import: a copy of one that has done so."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import reduction
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, TextIO

# what commands and dispatchers import: whoever asks first starts the one server of a test process
_PRELOADED = (
    "tests.faults.serving",
    "invoke.main",
    "tasks",
    "tasks.training",
    "tasks.status",
    "tasks.stack",
    "infra.program",
    "localcloud.connect_endpoints",
    "localcloud.deployer",
    "localcloud.moto_server",
    "localcloud.spot_fleets",
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "rich.table",
    "yaml",
)


class Program(StrEnum):
    """What such a process can become, by the word that a shell has for it."""

    DASK = "dask"
    INVOKE = "invoke"


@dataclass(frozen=True, slots=True)
class Started:
    """A program that runs in a process group of its own; `said` is what it prints, and what it says beside that."""

    process: ForkServerProcess
    said: TextIO

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        return self.process.exitcode

    def await_end(self, timeout_s: float) -> str:
        """Read what it still says, until its end; its group is killed where that takes longer."""
        late = threading.Timer(timeout_s, self._kill_group)
        late.start()
        with self.said:
            rest = self.said.read()
        self.process.join()
        late.cancel()
        return rest

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.killpg(self.pid, signal.SIGKILL)


def process(target: Callable[..., object], *arguments: Any, is_daemon: bool = False) -> ForkServerProcess:
    """Have such a process call a function; it has begun when this returns, and may have ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    started = context.Process(target=_call, args=(target, arguments), daemon=is_daemon)
    started.start()
    return started


def _call(target: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    gc.freeze()  # no copy goes through what all of them have, looking for garbage
    target(*arguments)


def invoke(
    words: Sequence[str], *, folder: Path, variables: Mapping[str, str], timeout_s: float
) -> tuple[int, str, str]:
    """Run `invoke` to its end; gives its exit code, what it printed, and what it said. Raises TimeoutError."""
    with tempfile.TemporaryDirectory() as kept:
        printed, said = Path(kept, "out"), Path(kept, "err")
        with printed.open("wb") as out, said.open("wb") as err:
            running = _begin(Program.INVOKE, words, folder, variables, out.fileno(), err.fileno())
        running.join(timeout_s)
        if running.exitcode is None:
            running.kill()
            running.join()
            raise TimeoutError(f"invoke {' '.join(words)} did not end in {timeout_s:g} s: {said.read_text()}")
        code = running.exitcode
        return code, printed.read_text(encoding="utf-8"), said.read_text(encoding="utf-8")


def start(program: Program, words: Sequence[str], *, folder: Path, variables: Mapping[str, str]) -> Started:
    """Start a program and go on. It hears Ctrl-C, whatever these tests were started by."""
    reader, writer = os.pipe()
    running = _begin(program, words, folder, variables, writer, writer)
    os.close(writer)
    return Started(running, os.fdopen(reader, encoding="utf-8"))


def start_with_log(
    program: Program, words: Sequence[str], *, folder: Path, variables: Mapping[str, str], log: Path
) -> ForkServerProcess:
    """Start a program and go on; what it says is added to a file."""
    with log.open("ab") as file:
        return _begin(program, words, folder, variables, file.fileno(), file.fileno())


def _begin(
    program: Program, words: Sequence[str], folder: Path, variables: Mapping[str, str], out: int, err: int
) -> ForkServerProcess:
    return process(_become, program, list(words), folder, dict(variables), _Descriptor(out), _Descriptor(err))


class _Descriptor:
    """An open file of ours that the process is handed."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[[Any], int], tuple[Any]]:
        return _taken, (reduction.DupFd(self._number),)


def _taken(handed: Any) -> int:
    number: int = handed.detach()
    return number


def _become(program: Program, words: list[str], folder: Path, variables: dict[str, str], out: int, err: int) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for descriptor, number in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - they live as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = [program, *words]
    _main_of(program)()


def _main_of(program: Program) -> Callable[[], object]:
    match program:
        case Program.DASK:
            from dask.cli import run_cli

            return run_cli
        case Program.INVOKE:
            from invoke.main import program as invoke

            return invoke.run
