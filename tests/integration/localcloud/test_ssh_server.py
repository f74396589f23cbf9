"""The SSH server of one machine begins and ends as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import pytest

from localcloud import addresses, ssh_server


@pytest.mark.parametrize("passes", range(5))
def test_a_client_whose_connection_is_just_being_made_is_cut_when_the_server_stops(passes: int) -> None:
    async def stop_amid() -> None:
        nobody: Any = None  # no client comes as far as a session
        identity, _ = ssh_server.identity(None, ())
        server = ssh_server.SSHServer(nobody, identity, {}, lambda *_: None)
        door = addresses.bound("127.0.0.1", 0)
        await server.start(door)
        with socket.create_connection(door.getsockname(), timeout=5) as client:
            client.setblocking(False)
            for _ in range(passes):  # of the loop: the connection is accepted in the first, and known some later
                await asyncio.sleep(0)
            await server.stop()
            await asyncio.wait_for(_read_to_the_end(client), 5)

    asyncio.run(stop_amid())


async def _read_to_the_end(client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while await loop.sock_recv(client, 4096):
            pass
