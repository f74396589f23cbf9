"""Answer small HTTP requests from inside the loop: enough for instance metadata or a control door."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus

_REQUEST_LIMIT_BYTES = 64 * 1024
_READ_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    status: HTTPStatus = HTTPStatus.OK
    body: bytes = b""
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Reply]]


async def serve(handler: Handler, door: socket.socket) -> asyncio.Server:
    """Serve a handler on a listening socket until the returned server is closed."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            request = await asyncio.wait_for(_read(reader), _READ_TIMEOUT_S)
            reply = await handler(request)
            writer.write(_written(reply))
            await writer.drain()
        writer.close()

    return await asyncio.start_server(one, sock=door, limit=_REQUEST_LIMIT_BYTES)


async def close(server: asyncio.Server) -> None:
    """Listen no more; from Python 3.12 on, to wait for its end would be to wait for idle clients."""
    server.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    method, path, _version = (await reader.readline()).decode("latin-1").split()
    headers: dict[str, str] = {}
    while line := (await reader.readline()).decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    size_bytes = int(headers.get("content-length", "0"))
    if not 0 <= size_bytes <= _REQUEST_LIMIT_BYTES:
        raise ValueError("request too large")
    return Request(method, path, headers, await reader.readexactly(size_bytes))


def _written(reply: Reply) -> bytes:
    lines = [
        f"HTTP/1.1 {reply.status.value} {reply.status.phrase}",
        f"Content-Type: {reply.content_type}",
        f"Content-Length: {len(reply.body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in reply.headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + reply.body
