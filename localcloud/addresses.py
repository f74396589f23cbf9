"""Give every instance an address of its own on this machine."""

from __future__ import annotations

import errno
import random
import socket
import sys
from dataclasses import dataclass

SSH_PORT = 22
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Place:
    """`address` is what the API tells; `connect_to` and `port` are where the SSH server really listens."""

    address: str
    connect_to: str
    port: int


def listen(address: str | None = None, *, chance: random.Random | None = None) -> tuple[Place, socket.socket]:
    """Take an address (a given one again, or a new one) and listen on it: on port 22 where that is allowed.

    Linux answers on every address of 127.0.0.0/8; elsewhere all instances share 127.0.0.1 and differ by port,
    which the ssh config tells.
    """
    chance = chance or random.SystemRandom()
    last: OSError | None = None
    for _ in range(1 if address else _TRIES):
        wanted = address or _any_address(chance)
        try:
            return _listen_at(wanted)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            last = error
    raise OSError(errno.EADDRINUSE, f"no free loopback address after {_TRIES} tries") from last


def _any_address(chance: random.Random) -> str:
    """127.0.x.y is left to the machine itself."""
    return f"127.{chance.randint(16, 250)}.{chance.randint(0, 255)}.{chance.randint(1, 254)}"


def _listen_at(address: str) -> tuple[Place, socket.socket]:
    if sys.platform != "linux":
        door = bound("127.0.0.1", 0)
        return Place(address, "127.0.0.1", door.getsockname()[1]), door
    try:
        return Place(address, address, SSH_PORT), bound(address, SSH_PORT)
    except OSError as error:
        # a machine's own sshd listens on every address at 22; an ordinary user may not bind it at all
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EADDRINUSE):
            raise
    door = bound(address, 0)
    return Place(address, address, door.getsockname()[1]), door


def bound(address: str, port: int) -> socket.socket:
    """A listening socket that does not block; port 0 takes a free one."""
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((address, port))
        door.listen(128)
        door.setblocking(False)
    except OSError:
        door.close()
        raise
    return door
