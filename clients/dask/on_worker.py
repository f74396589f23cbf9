"""What a Dask worker does for us: keep its place for one run, and run commands on its machine.

This file is sent to the workers as it is, so it uses the standard library and Dask alone, of Python 3.10 or newer. It
runs in the worker's event loop; what it gives back are plain values.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from pathlib import Path
from typing import Any

from distributed.worker import get_worker

TOPIC = "rampart-holds"
RESOURCE = "SUBMISSION"

_BLOCK_BYTES = 2**20
_UNHEARD_S = 300.0  # so long nobody asks for a command's output before it is ended
_FORWARDED = ("PATH", "USER", "LOGNAME", "LANG", "TMPDIR")
# each client that comes sends this file, and Dask then reloads the module: what goes on must outlive that
_holds: dict[str, asyncio.Event] = globals().get("_holds", {})
_commands: dict[str, _Command] = globals().get("_commands", {})


async def hold(key: str, limit_s: float) -> None:
    """Be a task that takes the worker's place until the run is over, or `limit_s` seconds have passed."""
    over = _holds[key] = asyncio.Event()
    worker = get_worker()
    worker.log_event(TOPIC, {"key": key, "machine": machine(), "address": worker.address})
    try:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(over.wait(), limit_s)
    finally:
        if _holds.get(key) is over:
            del _holds[key]


async def let_go(key: str) -> None:
    """End a hold; one that is not here is none of ours."""
    if key in _holds:
        _holds[key].set()


async def offer(dask_worker: Any) -> bool:
    """Have the worker run one submission at a time, however it was started; tells whether it did not before."""
    if RESOURCE in dask_worker.state.total_resources:
        return False
    await dask_worker.set_resources(**{RESOURCE: 1})
    return True


def machine() -> str:
    """Name the machine with the home that commands find here: it stays when the worker's process is another one."""
    folder = Path.home() / ".rampart"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / "machine"
    with contextlib.suppress(FileExistsError):
        own = folder / f".machine-{uuid.uuid4().hex}"
        own.write_text(uuid.uuid4().hex)
        try:
            os.link(own, place)
        finally:
            own.unlink()
    return place.read_text().strip()


async def begin(number: str, argv: list[str], data: bytes, ends: bool, wait_s: float) -> dict[str, Any]:
    """Start a command with the first piece of its input, the whole of it where that `ends`; give what `read` gives."""
    _commands[number] = command = await _Command.started(argv)
    command.ended = lambda: _commands.pop(number, None)
    await write(number, data, ends)
    return await read(number, wait_s)


async def write(number: str, data: bytes, ends: bool) -> bool:
    """Write a piece of a command's input; False where it reads no more."""
    command = _commands.get(number)
    return command is not None and await command.write(data, ends)


async def read(number: str, wait_s: float) -> dict[str, Any]:
    """Give what a command has written since, after `wait_s` seconds at most, and its exit code when it has ended.

    Raises KeyError for a command that is not known here.
    """
    return await _commands[number].read(wait_s)


async def kill(number: str) -> None:
    """End a command with the process group it started; one that is gone is fine."""
    command = _commands.pop(number, None)
    if command is not None:
        command.kill()


class _Command:
    """One child process. What it writes is kept up to a bound; then it has to wait."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._out, self._err = bytearray(), bytearray()
        self._changed = asyncio.Condition()
        self._code: int | None = None
        self._asked_at = asyncio.get_running_loop().time()
        self.ended: Any = None
        self._tasks = [asyncio.ensure_future(self._live()), asyncio.ensure_future(self._watch())]

    @classmethod
    async def started(cls, argv: list[str]) -> _Command:
        environment = {name: os.environ[name] for name in _FORWARDED if name in os.environ}
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", 'exec "$@"', "sh"),  # a missing program is exit code 127, as it is over SSH
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=Path.home(),
            env={**environment, "HOME": str(Path.home())},
            start_new_session=True,
        )
        return cls(process)

    async def write(self, data: bytes, ends: bool) -> bool:
        self._asked_at = asyncio.get_running_loop().time()
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was asked for
        try:
            if data:
                stdin.write(data)
                await stdin.drain()
            if ends:
                stdin.close()
        except (OSError, RuntimeError):
            return False
        return True

    async def read(self, wait_s: float) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        self._asked_at = loop.time() + wait_s
        async with self._changed:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait_for(self._has_news), wait_s)
            told = {"out": bytes(self._out), "err": bytes(self._err), "code": self._code}
            self._out.clear()
            self._err.clear()
            self._changed.notify_all()
        if self._code is not None:
            self._over()
        return told

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._over()

    def _has_news(self) -> bool:
        return self._code is not None or bool(self._out or self._err)

    def _over(self) -> None:
        if self.ended is not None:
            self.ended()

    async def _live(self) -> None:
        await asyncio.gather(
            self._keep(self._process.stdout, self._out),
            self._keep(self._process.stderr, self._err),
        )
        code = await self._process.wait()
        async with self._changed:
            self._code = max(code, -1)  # -1 where a signal ended it, as an SSH channel tells it
            self._changed.notify_all()
        self._tasks[1].cancel()

    async def _keep(self, stream: Any, kept: bytearray) -> None:
        while data := await stream.read(_BLOCK_BYTES):
            async with self._changed:
                while len(kept) >= _BLOCK_BYTES:
                    await self._changed.wait()
                kept.extend(data)
                self._changed.notify_all()

    async def _watch(self) -> None:
        """End a command that nobody asks about any more: who started it is gone."""
        loop = asyncio.get_running_loop()
        while (left := self._asked_at + _UNHEARD_S - loop.time()) > 0:
            await asyncio.sleep(left)
        self.kill()
