"""Run commands as processes of their own that begin with what they would import: a copy of one that has done so."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

# what commands and dispatchers import: whoever asks first starts the one server of a test process
_PRELOADED = (
    "tests.faults.serving",
    "invoke.main",
    "tasks",
    "tasks.training",
    "tasks.status",
    "tasks.stack",
    "infra.program",
    "localcloud.deployer",
    "rich.table",
    "yaml",
)


def context() -> ForkServerContext:
    """Where such processes come from."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(_PRELOADED))
    return found


def invoke(
    words: Sequence[str], *, folder: Path, variables: Mapping[str, str], timeout_s: float
) -> tuple[int, str, str]:
    """Run `invoke` to its end; gives its exit code, what it printed, and what it said. Raises TimeoutError."""
    with tempfile.TemporaryDirectory() as kept:
        printed, said = Path(kept, "out"), Path(kept, "err")
        process = context().Process(target=_be_invoke, args=(list(words), folder, dict(variables), printed, said))
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"invoke {' '.join(words)} did not end in {timeout_s:g} s: {said.read_text()}")
        code = process.exitcode
        return code, printed.read_text(encoding="utf-8"), said.read_text(encoding="utf-8")


def _be_invoke(words: list[str], folder: Path, variables: dict[str, str], printed: Path, said: Path) -> None:
    from invoke.main import program

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for path, number in ((os.devnull, 0), (printed, 1), (said, 2)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - they live as long as the process
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = ["invoke", *words]
    program.run(sys.argv)
