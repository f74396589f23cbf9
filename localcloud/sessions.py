"""Run what an SSH client asks for in a machine, with every byte and the exit status carried both ways."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import struct
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncssh

from contracts.errors import RampartError
from localcloud.machines import Machine

_CHUNK_BYTES = 64 * 1024
_INPUT_LIMIT_BYTES = 1024 * 1024
_HANGUP_GRACE_S = 2.0
_SHELL = "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"

# Makes standard input the controlling terminal, then becomes the command: a child cannot do it for itself in argv.
_TAKE_TERMINAL = """\
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvpe(sys.argv[1], sys.argv[1:], os.environ)
"""


@dataclass(frozen=True, slots=True)
class _Child:
    process: asyncio.subprocess.Process
    outputs: tuple[tuple[asyncio.StreamReader, int | None], ...]
    stdin: asyncio.StreamWriter
    terminal_fd: int | None = None
    terminal_reader: asyncio.BaseTransport | None = None


class Session(asyncssh.SSHServerSession[bytes]):
    """One channel: a command, a shell or sftp. Ends the command when the client goes; what detached itself stays."""

    def __init__(self, machine: Machine, environment: Mapping[str, str], answers: asyncio.Event) -> None:
        self._machine = machine
        self._environment = dict(environment)
        self._answers = answers  # cleared while the host is cut off: nothing may be said then
        self._argv: list[str] = []
        self._terminal: tuple[str, tuple[int, int, int, int]] | None = None
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._input_bytes = 0
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._gone = asyncio.Event()
        self._child: _Child | None = None
        self._task: asyncio.Task[None] | None = None

    # what the client asks for

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan = chan

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], _term_modes: Mapping[int, int]
    ) -> bool:
        self._terminal = (term_type, term_size)
        return True

    def shell_requested(self) -> bool:
        self._argv = [_SHELL, "-l"]
        return True

    def exec_requested(self, command: str) -> bool:
        self._argv = [_SHELL, "-c", command]
        return True

    def subsystem_requested(self, subsystem: str) -> bool:
        server = shutil.which("sftp-server", path="/usr/lib/openssh:/usr/libexec/openssh:/usr/libexec:/usr/lib/ssh")
        if subsystem != "sftp" or server is None:
            return False
        self._argv = [server]
        return True

    def session_started(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        self._input.put_nowait(data)
        self._input_bytes += len(data)
        if self._input_bytes > _INPUT_LIMIT_BYTES:
            self._chan.pause_reading()

    def eof_received(self) -> bool:
        self._input.put_nowait(None)
        return True  # the command goes on and may still write

    def signal_received(self, signal_name: str) -> None:
        number = getattr(signal, f"SIG{signal_name}", None)
        if number is not None and self._child is not None:
            _signal_group(self._child.process, number)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        if self._child is not None and self._child.terminal_fd is not None:
            _set_size(self._child.terminal_fd, (width, height, pixwidth, pixheight))

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, _error: Exception | None) -> None:
        self._gone.set()
        self._may_write.set()

    # what the command does

    async def _run(self) -> None:
        try:
            self._child = child = await self._start()
        except (OSError, RampartError) as error:
            self._chan.write_stderr(f"cannot start: {error}\n".encode())
            self._chan.exit(255)
            return
        feeding = asyncio.create_task(self._feed(child.stdin))
        working = asyncio.create_task(self._carry(child))
        leaving = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                await _hang_up(child.process, working)
        finally:
            _signal_unfinished(child.process)
            for task in (feeding, working, leaving):
                task.cancel()
            await asyncio.gather(feeding, working, leaving, return_exceptions=True)
            _close(child)

    async def _start(self) -> _Child:
        if self._terminal is None:
            return await _start_on_pipes(self._machine, self._argv, self._environment)
        kind, size = self._terminal
        return await _start_on_terminal(self._machine, self._argv, {**self._environment, "TERM": kind}, size)

    async def _carry(self, child: _Child) -> None:
        """Carry all output, then the exit status: in this order nothing is cut off."""
        await asyncio.gather(*(self._pump(reader, datatype) for reader, datatype in child.outputs))
        code = await child.process.wait()
        await self._answers.wait()
        if self._gone.is_set():
            return
        if code < 0:
            self._chan.exit_with_signal(signal.Signals(-code).name.removeprefix("SIG"))
        else:
            self._chan.exit(code)

    async def _pump(self, reader: asyncio.StreamReader, datatype: int | None) -> None:
        while data := await _read(reader):
            await self._answers.wait()
            if self._gone.is_set():
                continue  # nobody listens: keep the command from filling its pipe
            self._chan.write(data, datatype)
            await self._may_write.wait()

    async def _feed(self, stdin: asyncio.StreamWriter) -> None:
        """Carry the client's input; what comes after the command closed its end is thrown away."""
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            while (data := await self._input.get()) is not None:
                stdin.write(data)
                await stdin.drain()
                self._input_bytes -= len(data)
                if self._input_bytes <= _INPUT_LIMIT_BYTES and not self._gone.is_set():
                    self._chan.resume_reading()
        if self._terminal is not None:
            stdin.write(b"\x04")  # end of file, as a terminal says it
            return
        stdin.close()
        if not self._gone.is_set():
            self._chan.resume_reading()


async def _start_on_pipes(machine: Machine, argv: list[str], environment: dict[str, str]) -> _Child:
    spawn = machine.spawn(argv, user=machine.login_user, env=environment)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *spawn.argv, env=spawn.env, cwd=spawn.cwd, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    )
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise OSError("no pipes to the command")
    outputs = ((process.stdout, None), (process.stderr, asyncssh.EXTENDED_DATA_STDERR))
    return _Child(process, outputs, process.stdin)


async def _start_on_terminal(
    machine: Machine, argv: list[str], environment: dict[str, str], size: tuple[int, int, int, int]
) -> _Child:
    spawn = machine.spawn(argv, user=machine.login_user, env=environment)
    ours, theirs = os.openpty()
    try:
        _set_size(theirs, size)
        command = (sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *spawn.argv)
        process = await asyncio.create_subprocess_exec(
            *command, env=spawn.env, cwd=spawn.cwd, stdin=theirs, stdout=theirs, stderr=theirs
        )
    except OSError:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    reading, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
    )
    writing, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(os.dup(ours), "wb", buffering=0)
    )
    writer = asyncio.StreamWriter(writing, protocol, None, loop)
    return _Child(process, ((reader, None),), writer, terminal_fd=ours, terminal_reader=reading)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_CHUNK_BYTES)
    except OSError:  # how Linux says that the last process left the terminal
        return b""


async def _hang_up(process: asyncio.subprocess.Process, working: asyncio.Task[None]) -> None:
    """The client is gone: tell the foreground command as a terminal would, and end it if it does not listen."""
    _signal_group(process, signal.SIGHUP)
    await asyncio.wait({working}, timeout=_HANGUP_GRACE_S)


def _signal_unfinished(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        _signal_group(process, signal.SIGKILL)


def _signal_group(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _set_size(fd: int, size: tuple[int, int, int, int]) -> None:
    width, height, pixel_width, pixel_height = size
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, pixel_width, pixel_height))


def _close(child: _Child) -> None:
    child.stdin.close()
    if child.terminal_reader is not None:
        child.terminal_reader.close()
    # the pipes of a process whose children still hold them; asyncio has no public door to this
    transport: Any = getattr(child.process, "_transport", None)
    if transport is not None:
        transport.close()
