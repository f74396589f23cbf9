"""Carry a client's bytes on to a neighbour, as a jump host does."""

from __future__ import annotations

import asyncio
import contextlib

import asyncssh

_CHUNK_BYTES = 64 * 1024
_BUFFER_BYTES = 1024 * 1024


async def forward(place: tuple[str, int], answers: asyncio.Event) -> Forwarding:
    """Connect to the neighbour; ChannelOpenError where it does not answer. `answers` is cleared while cut off."""
    try:
        reader, writer = await asyncio.open_connection(*place)
    except OSError as error:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, str(error)) from None
    return Forwarding(reader, writer, answers)


class Forwarding(asyncssh.SSHTCPSession[bytes]):
    """One channel of a jump host, with the connection behind it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: asyncio.Event) -> None:
        self._reader = reader
        self._writer = writer
        self._answers = answers  # nothing may be carried back before it is set
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._task: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._chan = chan

    def session_started(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._carry_back())

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > _BUFFER_BYTES and self._draining is None:
            self._chan.pause_reading()
            self._draining = asyncio.get_running_loop().create_task(self._drain())

    def eof_received(self) -> bool:
        with contextlib.suppress(OSError):
            self._writer.write_eof()
        return True  # the neighbour may still have something to say

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, _error: Exception | None) -> None:
        for task in (self._task, self._draining):
            if task is not None:
                task.cancel()
        self._writer.close()

    async def _drain(self) -> None:
        """The neighbour takes its time: the client must wait."""
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        self._draining = None
        self._chan.resume_reading()

    async def _carry_back(self) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await self._reader.read(_CHUNK_BYTES):
                await self._answers.wait()
                self._chan.write(data)
                await self._may_write.wait()
        await self._answers.wait()
        self._chan.close()
