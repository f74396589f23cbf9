"""Run scripts as root on a machine, to their end or their deadline."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import resources
from types import TracebackType

from contracts.errors import CommandFailed, CommandTimedOut, RampartError
from contracts.remote import CommandResult
from imagebuilder.ports import Transport
from imagebuilder.running import streams
from imagebuilder.running.output import Output, Stream

_GRACE_S = 30.0
"""The machine itself keeps a script's time; this long after it we stop to wait for its word."""
_NEVER_S = 14 * 86_400.0
_SHORT_S = 60.0
_INSTALL = """umask 077; folder=$(mktemp -d "${TMPDIR:-/tmp}/rampart.XXXXXXXX") && cat > "$folder/supervise" &&
printf '%s\\n' "$folder" """
_NOT_INSTALLED = 127
"""What bash ends with where its script is not there."""


class TimeIsUp(Exception):
    """A script's time was up; it was ended with all it had started."""


class ScriptLost(Exception):
    """A script could not be started, or ended without telling how."""


class Machine:
    """One machine as documents see it: root, no login, one script at a time.

    `restart` restarts the machine, waits until it answers again and gives a transport to it; without one a document
    that asks for a restart fails. `working_directory` "" is the folder for temporary files. A context manager: leaving
    it removes what was put on the machine to run scripts; the transport stays open. Every verb may raise
    HostUnreachable.
    """

    def __init__(
        self, transport: Transport, *, restart: Callable[[], Transport] | None = None, working_directory: str = ""
    ) -> None:
        self._transport = transport
        self._restart = restart
        self._working_directory = working_directory
        self._root: tuple[str, ...] | None = None
        self._supervisor = ""
        self._numbers = itertools.count(1)

    def __enter__(self) -> Machine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(RampartError):
            self._leave()

    def login_home(self) -> str:
        """The login user's own home, as the machine says it: a document's parameter may need it. Raises CommandFailed.

        The emulated machines that are only a folder have it elsewhere than a real one.
        """
        done = self._transport.run(("sh", "-c", 'printf %s "$HOME"'), timeout_s=_SHORT_S)
        if done.exit_code != 0 or not done.text:
            raise CommandFailed("the machine does not tell its login user's home", exit_code=done.exit_code)
        return done.text

    def run(self, script: str, output: Output, *, deadline: float | None) -> int:
        """Run a bash script, its output handed on while it comes; gives its exit code, 128 and more for a signal.

        `deadline` is a moment of the monotonic clock. Raises TimeIsUp, ScriptLost, CommandFailed where the login user
        may not become root. What a script leaves running when it ends goes on; where this raises, it is ended with all
        it has started. Only a machine that is out of reach keeps it: to its deadline, or until it prints something.
        """
        timeout_s = None if deadline is None else deadline - time.monotonic()
        if timeout_s is not None and timeout_s <= 0:
            raise TimeIsUp
        mark = streams.new_mark()
        try:
            code = self._supervised(self._keep(mark, script), mark, timeout_s, output)
        except CommandTimedOut as error:
            raise TimeIsUp from error
        finally:
            output.end()
        if code == "late":
            raise TimeIsUp
        if code is None or not code.isdigit():
            raise ScriptLost("it ended without an exit code: the machine, or the script itself, killed what runs it")
        return int(code)

    def check(self, script: str, *, deadline: float | None) -> bool:
        """Whether a short script of ours ends with 0; its output is dropped."""
        return self.run(script, Output(None), deadline=deadline) == 0

    def put(self, path: str, chunks: Iterable[bytes], *, deadline: float | None) -> str:
        """Write a file from this side; gives what went wrong, else "". Raises TimeIsUp, and what `chunks` does."""
        self._install()
        argv = self._argv("put", path, self._working_directory)
        try:
            done = self._transport.send(argv, chunks, timeout_s=_left(deadline))
        except CommandTimedOut as error:
            raise TimeIsUp from error
        return last_words(done) if done.exit_code != 0 else ""

    @contextmanager
    def get(self, path: str, *, deadline: float | None) -> Iterator[Iterator[bytes]]:
        """Read a file piece by piece. Raises CommandFailed, TimeIsUp."""
        self._install()
        argv = self._argv("get", path, self._working_directory)
        try:
            with self._transport.receive(argv, timeout_s=_left(deadline)) as chunks:
                yield chunks
        except CommandTimedOut as error:
            raise TimeIsUp from error

    def restart(self) -> None:
        """Restart the machine and come back when it answers. Raises ScriptLost where nobody can."""
        if self._restart is None:
            raise ScriptLost("it asks for a restart, and this machine cannot be restarted")
        with suppress(RampartError):
            self._leave()  # not every system clears its folder for temporary files when it starts
        self._supervisor = ""
        self._transport = self._restart()

    def _keep(self, mark: bytes, script: str) -> str:
        """Put a script on the machine; no other process sees it, as it would see an argument."""
        self._install()
        payload = mark + b"\n" + script.encode()
        number = str(next(self._numbers))
        done = self._call("take", number, stdin=payload)
        if done.exit_code == _NOT_INSTALLED:  # a step has cleared the folder for temporary files
            self._supervisor = ""
            self._install()
            done = self._call("take", number, stdin=payload)
        if done.exit_code != 0:
            raise ScriptLost(f"the machine did not take the script: {last_words(done)}")
        return number

    def _supervised(self, number: str, mark: bytes, timeout_s: float | None, output: Output) -> str | None:
        wait_s = _NEVER_S if timeout_s is None else timeout_s + _GRACE_S
        seconds = "none" if timeout_s is None else f"{timeout_s:.3f}"
        ending = streams.Ending(mark)
        ended = partial(self._call, "end", number)
        # a script begins when both its outputs are read: who cannot read one ends it, and so the wait for the other
        errors = _Errors(self._transport, self._argv("errors", number), wait_s, streams.Ending(mark), output, ended)
        errors.start()
        try:
            argv = self._argv("run", number, seconds, self._working_directory)
            with self._transport.receive(argv, timeout_s=wait_s) as chunks:
                try:
                    for chunk in ending.passed(chunks):
                        output.take(Stream.STDOUT, chunk)
                except CommandFailed as error:
                    raise ScriptLost(f"what runs it was ended: {error.message}") from error
            if ending.code is None:
                ended()
        except BaseException:
            with suppress(RampartError):
                ended()
            errors.join()
            raise
        errors.finish()
        return ending.code

    def _install(self) -> None:
        if self._supervisor:
            return
        if self._root is None:
            is_root = self._transport.run(("id", "-u"), timeout_s=_SHORT_S).text.strip() == "0"
            self._root = () if is_root else ("sudo", "-n")
        content = (resources.files("imagebuilder.running") / "supervise.sh").read_bytes()
        done = self._transport.run((*self._root, "/bin/bash", "-c", _INSTALL), stdin=content, timeout_s=_SHORT_S)
        folder = done.text.strip()
        if done.exit_code != 0 or not folder.startswith("/"):
            hint = "the image's login user needs sudo without a password, and /tmp some room"
            message = f"the machine takes no commands as root: {last_words(done)}"
            raise CommandFailed(message, exit_code=done.exit_code, hint=hint)
        self._supervisor = f"{folder}/supervise"

    def _leave(self) -> None:
        if self._supervisor:
            self._call("leave")
            self._supervisor = ""

    def _call(self, *words: str, stdin: bytes = b"") -> CommandResult:
        return self._transport.run(self._argv(*words), stdin=stdin, timeout_s=_SHORT_S)

    def _argv(self, *words: str) -> tuple[str, ...]:
        return (*(self._root or ()), "/bin/bash", self._supervisor, *words)


class _Errors(threading.Thread):
    """Reads a script's standard error beside its standard output."""

    def __init__(
        self,
        transport: Transport,
        argv: tuple[str, ...],
        wait_s: float,
        ending: streams.Ending,
        output: Output,
        end_script: Callable[[], object],
    ) -> None:
        super().__init__(name="standard-error", daemon=True)
        self._transport = transport
        self._argv = argv
        self._wait_s = wait_s
        self._ending = ending
        self._output = output
        self._end_script = end_script
        self._failed: BaseException | None = None

    def run(self) -> None:
        """Read to the end; what goes wrong is kept for `finish`."""
        try:
            with self._transport.receive(self._argv, timeout_s=self._wait_s) as chunks, suppress(CommandFailed):
                for chunk in self._ending.passed(chunks):
                    self._output.take(Stream.STDERR, chunk)
        except BaseException as error:
            self._failed = error
        if self._ending.code is None:
            with suppress(RampartError):
                self._end_script()

    def finish(self) -> None:
        """Wait for the end, and raise what went wrong."""
        self.join()
        if self._failed is not None:
            raise self._failed


def _left(deadline: float | None) -> float:
    if deadline is None:
        return _NEVER_S
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeIsUp
    return left


def last_words(done: CommandResult) -> str:
    """The last line a command said about its failure."""
    lines = [line.strip() for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.exit_code}"
