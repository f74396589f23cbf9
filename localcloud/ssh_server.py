"""Serve SSH for one machine: its own host key, its authorized keys, its login user, the way to its neighbours."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import asyncssh

from localcloud.forwarding import Forwarding, forward
from localcloud.machines import Machine
from localcloud.sessions import Session

Neighbour = Callable[[str, int], tuple[str, int] | None]

_KEEPALIVE_S = 30
_PASSES_TO_CONNECT = 3  # of the loop: a task is made of an accepted connection, then a transport, then it is told


@dataclass(frozen=True, slots=True)
class Identity:
    """How a machine proves who it is, and whom it lets in (OpenSSH public key lines)."""

    host_key: asyncssh.SSHKey = field(repr=False)
    authorized: frozenset[bytes]

    @property
    def host_key_line(self) -> str:
        """The public host key as `ssh-ed25519 AAAA...`, without a comment."""
        return " ".join(self.host_key.export_public_key("openssh").decode().split()[:2])

    @property
    def fingerprint(self) -> str:
        return self.host_key.get_fingerprint()


def identity(host_key_private: str | None, authorized_keys: tuple[str, ...]) -> tuple[Identity, tuple[str, ...]]:
    """Make an identity from what user data and key pair give; the second value says which keys could not be read."""
    warnings: list[str] = []
    host_key: asyncssh.SSHKey | None = None
    if host_key_private is not None:
        try:
            host_key = asyncssh.import_private_key(host_key_private)
        except asyncssh.KeyImportError as error:
            warnings.append(f"host key of the user data cannot be read, one is generated: {error}")
    authorized: set[bytes] = set()
    for line in authorized_keys:
        try:
            authorized.add(asyncssh.import_public_key(line).public_data)
        except asyncssh.KeyImportError as error:
            warnings.append(f"authorized key cannot be read: {error}")
    return Identity(host_key or asyncssh.generate_private_key("ssh-ed25519"), frozenset(authorized)), tuple(warnings)


class SSHServer:
    """The SSH server of one machine; every method runs in the loop's thread.

    `neighbour` says where an address and port of the cloud's network really are; None for what is neither
    a machine's SSH door nor its Dask scheduler, to which nobody is carried on.
    """

    def __init__(
        self, machine: Machine, identity: Identity, environment: Mapping[str, str], neighbour: Neighbour
    ) -> None:
        self._machine = machine
        self._identity = identity
        self._environment = environment
        self._neighbour = neighbour
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._answers = asyncio.Event()
        self._answers.set()

    async def start(self, door: socket.socket) -> None:
        self._door = door
        self._acceptor = await asyncssh.listen(
            sock=door,
            server_factory=lambda: _Door(
                self._machine, self._identity, self._environment, self._connections, self._answers, self._neighbour
            ),
            server_host_keys=[self._identity.host_key],
            encoding=None,
            line_editor=False,
            agent_forwarding=False,
            x11_forwarding=False,
            keepalive_interval=_KEEPALIVE_S,
            login_timeout=30,
        )

    async def take(self, identity: Identity) -> None:
        """Show another host key to who connects from now on, as sshd does after a reload."""
        self._identity = identity
        if self._acceptor is not None:
            self._acceptor.update(server_host_keys=[identity.host_key])

    async def freeze(self) -> None:
        """Answer nothing and cut nothing, as behind a broken network: clients can only wait.

        New connections come as far as the kernel takes them.
        """
        if self._acceptor is None or not self._answers.is_set():
            return
        self._answers.clear()
        kept = self._door.dup()  # the kernel goes on listening when the acceptor closes its own
        await self._accept_no_more()
        self._door = kept
        for connection in self._connections:
            connection.set_keepalive(0)
            _let_read(connection, reads=False)

    async def thaw(self) -> None:
        """Answer again, what came meanwhile first."""
        if self._acceptor is None or self._answers.is_set():
            return
        for connection in self._connections:
            _let_read(connection, reads=True)
            connection.set_keepalive(_KEEPALIVE_S)
        self._answers.set()
        await self.start(self._door)

    async def stop(self) -> None:
        """Refuse new connections, cut the present ones."""
        if self._acceptor is None:
            return
        if self._answers.is_set():
            await self._accept_no_more()
        else:
            self._door.close()
            self._answers.set()  # the sessions must see that their clients are gone
        connections = list(self._connections)
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in connections), return_exceptions=True)
        await self._acceptor.wait_closed()  # waits for the connections too, from Python 3.12 on
        self._acceptor = None

    async def _accept_no_more(self) -> None:
        if self._acceptor is None:
            return
        # asyncio forgets, without closing it, a connection it has accepted but not yet made when its server closes:
        # the client would wait for an answer. So accept no more first, and let what is accepted come to be known.
        asyncio.get_running_loop().remove_reader(self._door)
        for _ in range(_PASSES_TO_CONNECT):
            await asyncio.sleep(0)
        self._acceptor.close()


def _let_read(connection: asyncssh.SSHServerConnection, reads: bool) -> None:
    """asyncssh has no public door to its transport; one that is ending has none."""
    transport: asyncio.Transport | None = getattr(connection, "_transport", None)
    if transport is None or transport.is_closing():
        return
    if reads:
        transport.resume_reading()
    else:
        transport.pause_reading()


class _Door(asyncssh.SSHServer):
    """One connection: public keys only, and no user but the machine's login user (so never root)."""

    def __init__(
        self,
        machine: Machine,
        identity: Identity,
        environment: Mapping[str, str],
        connections: set[asyncssh.SSHServerConnection],
        answers: asyncio.Event,
        neighbour: Neighbour,
    ) -> None:
        self._machine = machine
        self._identity = identity
        self._environment = environment
        self._connections = connections
        self._answers = answers
        self._neighbour = neighbour

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncssh's signature)
        self._connections.discard(self._connection)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == self._machine.login_user and key.public_data in self._identity.authorized

    def session_requested(self) -> Session:
        return Session(self._machine, self._environment, self._answers)

    def connection_requested(
        self, dest_host: str, dest_port: int, _orig_host: str, _orig_port: int
    ) -> Awaitable[Forwarding]:
        place = self._neighbour(dest_host, dest_port)
        if place is None:
            raise asyncssh.ChannelOpenError(
                asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, f"{dest_host}:{dest_port} is no instance's SSH server"
            )
        return forward(place, self._answers)
