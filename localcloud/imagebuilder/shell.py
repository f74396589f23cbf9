"""Give a build's steps the machine behind an instance as their shell."""

from __future__ import annotations

import signal
from collections.abc import Callable

from contracts.errors import RampartError
from localcloud.imagebuilder import processes
from localcloud.imagebuilder.acting import ActionFailed, Objects, Result
from localcloud.imagebuilder.cancellation import Cancellation
from localcloud.imagebuilder.interpreter import StepTimedOut
from localcloud.imagebuilder.lines import Lines
from localcloud.imagebuilder.ports import MachineOf

_KEPT = 1_000_000
_MOST_LINES = 20_000
_IN_FOLDER = 'cd -- "${1:-${TMPDIR:-/tmp}}" && shift && exec "$@"'


class MachineShell:
    """Runs commands as root on an instance's machine until one step's deadline; output goes to the log line by line.

    `working_directory` "" is the machine's folder for temporary files, as on AWS. `on_killed` is told the instance when
    a command was killed, which is what the end of the instance looks like from here.
    """

    def __init__(
        self,
        instance_id: str,
        *,
        machine_of: MachineOf,
        working_directory: str,
        deadline: float | None,
        cancellation: Cancellation,
        log: Callable[[str], None],
        restart: Callable[[str], None],
        on_killed: Callable[[str], None],
        objects: Objects,
    ) -> None:
        self._instance_id = instance_id
        self._machine_of = machine_of
        self._working_directory = working_directory
        self._deadline = deadline
        self._cancellation = cancellation
        self._log = log
        self._restart = restart
        self._on_killed = on_killed
        self._objects = objects

    @property
    def objects(self) -> Objects:
        """The objects of the local cloud's S3."""
        return self._objects

    def run(self, *argv: str, stdin: bytes = b"", quiet: bool = False) -> Result:
        """Run a command; raises StepTimedOut, Cancelled, and ActionFailed when the instance has ended."""
        marker = processes.new_marker()
        command = ("/bin/bash", "-c", _IN_FOLDER, "step", self._working_directory, *argv)
        try:
            spawn = self._machine_of(self._instance_id).spawn(command, user="root", env=marker)
        except RampartError as error:
            raise ActionFailed(f"the instance is not there any more: {error}") from error
        output = _Output(None if quiet else self._log)
        try:
            code = processes.run(
                spawn.argv,
                environment={**spawn.env, **marker},
                marker=marker,
                folder=spawn.cwd,
                stdin=stdin,
                deadline=self._deadline,
                cancellation=self._cancellation,
                on_output=output.take,
            )
        except processes.DeadlinePassed as error:
            raise StepTimedOut("its time was up") from error
        except OSError as error:
            self._log(f"Stderr: {error}")
            return Result(127)
        finally:
            output.end()
        if code == -signal.SIGKILL:
            self._on_killed(self._instance_id)
        return Result(code, output.stdout())

    def reboot(self) -> None:
        """Restart the instance."""
        self._log(f"Restarting instance {self._instance_id}")
        self._restart(self._instance_id)


class _Output:
    """Sorts a command's output into log lines and the beginning of its standard output."""

    def __init__(self, log: Callable[[str], None] | None) -> None:
        self._log = log
        self._lines = {"stdout": Lines(), "stderr": Lines()}
        self._kept = bytearray()
        self._written = 0

    def take(self, name: str, chunk: bytes) -> None:
        if name == "stdout" and len(self._kept) < _KEPT:
            self._kept += chunk[: _KEPT - len(self._kept)]
        self._write(name, self._lines[name].feed(chunk))

    def end(self) -> None:
        for name, lines in self._lines.items():
            self._write(name, lines.end())

    def stdout(self) -> str:
        return self._kept.decode("utf-8", "replace")

    def _write(self, name: str, lines: list[str]) -> None:
        if self._log is None:
            return
        for line in lines:
            self._written += 1
            if self._written <= _MOST_LINES:
                self._log(f"{name.capitalize()}: {line}")
            elif self._written == _MOST_LINES + 1:
                self._log(f"Stdout: [what this command prints beyond {_MOST_LINES} lines is not kept]")
