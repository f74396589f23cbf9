"""Carry what a program behind walls says to the one address that it may reach.

The program has a network of its own, with a door in it: a socket that listens there and is served from outside.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

from runner.job.supervisor import syscalls

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

LOOPBACK = "127.0.0.1"
_PIECE_BYTES = 256 * 1024
# as Dask sets its own connections up: who is gone without a word is missed after half a minute
_KEEPALIVE = (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 30_000))


def start(host: str, port: int) -> socket.socket:
    """Leave a process behind that carries, in the network around us; gives where it is handed the door.

    It ends with the calling process.
    """
    ours, its_own = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        _carry(its_own, host, port)
    its_own.close()
    return ours


def open_door(carrier: socket.socket, port: int) -> None:
    """Listen at a port of this network's loopback, and let the carrier answer."""
    with socket.create_server((LOOPBACK, port)) as door:
        socket.send_fds(carrier, [b"."], [door.fileno()])
    carrier.close()


def _carry(given: socket.socket, host: str, port: int) -> None:
    """Never returns."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1):
            os.dup2(null, number)
        _, descriptors, _, _ = socket.recv_fds(given, 1, 1)
        if descriptors:
            import asyncio  # what others wait for comes first

            asyncio.run(_serve(socket.socket(fileno=descriptors[0]), host, port))
    finally:
        os._exit(0)


async def _serve(door: socket.socket, host: str, port: int) -> None:
    import asyncio

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        _keep_alive(far_writer.get_extra_info("socket"))
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        far_writer.close()
        writer.close()

    door.setblocking(False)
    await (await asyncio.start_server(answer, sock=door)).serve_forever()


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    """Carry one direction to its end; a connection that breaks is broken on the other side too."""
    try:
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
    except (OSError, RuntimeError):
        writer.close()


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        with contextlib.suppress(OSError, AttributeError):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
