"""Reach a host over SSH that proves itself with a key known beforehand."""

from __future__ import annotations

import logging
import shlex
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import paramiko
from fabric import Config, Connection
from paramiko.common import cMSG_GLOBAL_REQUEST
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from clients.feeding import Feeder
from clients.keepalive import KEEPALIVE, Keepalive
from clients.keys import check_key_file
from clients.outputs import Stream, named
from clients.ssh_transport import OrderlyTransport
from clients.verbs import Verbs
from contracts.errors import CommandTimedOut, HostKeyRefused, HostUnreachable, KeyFileInvalid
from contracts.work import HostAddress

_CHUNK_BYTES = 64 * 1024
_LOG_CHANNEL = "clients.ssh.wire"


def connect(host: HostAddress, *, ssh_config: Path | None = None, keepalive: Keepalive = KEEPALIVE) -> SshTransport:
    """Open a connection; `ssh_config` may give the host another HostName, Port or ProxyCommand.

    Raises HostKeyRefused, HostUnreachable or KeyFileInvalid. Nothing is read from ~/.ssh, no agent is asked.
    """
    if host.key_path is None:
        raise KeyFileInvalid(f"no private key is known for {host.host_id}", hint="set worker.key_path")
    check_key_file(host.key_path)
    # what goes wrong on the wire is raised; paramiko's own log would print it a second time, with a traceback
    logging.getLogger(_LOG_CHANNEL).setLevel(logging.CRITICAL + 1)
    connection = _PinnedConnection(host, ssh_config, keepalive)
    connection.open()
    return SshTransport(connection, host, keepalive.silence_s)


class SshTransport(Verbs):
    """One SSH connection; every command has a raw channel of its own, so several threads may use it at a time."""

    def __init__(self, connection: _PinnedConnection, host: HostAddress, silence_s: float) -> None:
        self._connection = connection
        self._host = host
        self._silence_s = silence_s

    def close(self) -> None:
        """End the connection; a wait in another thread ends with HostUnreachable."""
        self._connection.hang_up()

    @contextmanager
    def _started(self, argv: Sequence[str], chunks: Iterable[bytes], timeout_s: float | None) -> Iterator[_Command]:
        with _translated(self._host):
            channel = self._transport().open_session(timeout=self._silence_s)
        command = _Command(channel, argv, timeout_s, self._check_host)
        try:
            with _translated(self._host):
                # no shell in between: a signal is seen as one
                channel.exec_command(f"exec {shlex.join(argv)}" + (" </dev/null" if chunks == () else ""))
                command.feed(chunks)
            yield command
        finally:
            command.close()

    def _check_host(self) -> None:
        """Raise HostUnreachable unless the host still answers."""
        with _translated(self._host):
            self._transport().open_session(timeout=self._silence_s).close()

    def _transport(self) -> paramiko.Transport:
        transport: paramiko.Transport | None = self._connection.transport
        if transport is None or not transport.is_active():
            raise HostUnreachable(f"the connection to {self._host.host_id} has ended", hint="connect again")
        return transport


class _Command:
    """One command on one channel: its input fed, its output pumped as it comes."""

    def __init__(
        self,
        channel: paramiko.Channel,
        argv: Sequence[str],
        timeout_s: float | None,
        check_host: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._check_host = check_host
        self._argv = argv
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._feeder: Feeder | None = None

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write the input where there is any."""
        channel = self._channel
        if chunks != ():
            self._feeder = Feeder(chunks, write=channel.sendall, end=channel.shutdown_write, abandon=channel.close)

    def output(self) -> Iterator[tuple[Stream, bytes]]:
        """What the command writes, until it closes both streams; raises CommandTimedOut."""
        channel = self._channel
        arrived = Event()
        channel.in_buffer.set_event(arrived)
        channel.in_stderr_buffer.set_event(arrived)
        while True:
            ended = channel.eof_received or channel.closed
            quiet = True
            if channel.recv_ready():
                quiet = False
                yield Stream.OUT, channel.recv(_CHUNK_BYTES)
            if channel.recv_stderr_ready():
                quiet = False
                yield Stream.ERR, channel.recv_stderr(_CHUNK_BYTES)
            # reading one stream to its end clears the event of both: only a round that read nothing may wait
            if quiet and ended:
                return
            if quiet and not arrived.wait(self._left()):
                raise self._timed_out()

    def exit_code(self) -> int:
        """The exit code, -1 where the command or the connection died without one."""
        if not self._channel.status_event.wait(self._left()):
            raise self._timed_out()
        if self._feeder is not None:
            self._feeder.check()
        code = self._channel.exit_status
        if code == -1:
            self._check_host()  # was it a signal, or has the connection died?
        return code

    def close(self) -> None:
        """Close the channel, which ends a command that still writes to it, and the feeder."""
        with suppress(paramiko.SSHException, EOFError, OSError):  # a dead connection has closed it already
            self._channel.close()
        if self._feeder is not None:
            self._feeder.join()

    def _left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _timed_out(self) -> CommandTimedOut:
        return CommandTimedOut(f"{named(self._argv)} did not end within {self._timeout_s:g} s")


class _PinnedConnection(Connection):  # type: ignore[misc]  # Fabric has no types
    """A Fabric connection that trusts one host key and nothing else (Fabric itself accepts any key)."""

    def __init__(self, host: HostAddress, ssh_config: Path | None, keepalive: Keepalive) -> None:
        config = Config(lazy=True, ssh_config=_read_ssh_config(ssh_config))
        super().__init__(
            host.address,
            user=host.user or None,
            port=host.port if host.port != 22 else None,  # so that the ssh config's Port is heard
            config=config,
            connect_kwargs={"key_filename": [str(host.key_path)]},
        )
        self._set(pinned=host, keepalive=keepalive)

    def open(self) -> None:
        """Connect with the pinned key only; raises HostKeyRefused or HostUnreachable."""
        client = paramiko.SSHClient()
        client.set_log_channel(_LOG_CHANNEL)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        entry = _host_key_entry(self.pinned, self.host, self.port)
        client.get_host_keys().add(entry.hostnames[0], entry.key.get_name(), entry.key)
        with _translated(self.pinned):
            try:
                client.connect(
                    self.host,
                    self.port,
                    self.user,
                    sock=self.open_gateway() if self.gateway else _dial(self.host, self.port, self.keepalive.answer_s),
                    key_filename=self.connect_kwargs["key_filename"],
                    allow_agent=False,
                    look_for_keys=False,
                    timeout=self.keepalive.answer_s,
                    banner_timeout=self.keepalive.answer_s,
                    auth_timeout=self.keepalive.answer_s,
                    transport_factory=OrderlyTransport,
                )
            except BaseException:
                client.close()
                raise
        self.client = client
        self.transport = transport = client.get_transport()
        if transport is not None:
            _keep_alive(transport, self.keepalive)

    def hang_up(self) -> None:
        """Close the socket first: paramiko's thread then ends at once instead of at its next look at it."""
        if self.transport is not None:
            with suppress(OSError):
                self.transport.sock.shutdown(socket.SHUT_RDWR)
        self.client.close()


class _WatchedSocket(socket.socket):
    """A socket that ends when the other side has been silent for too long."""

    heard_at = float("inf")
    silence_s = float("inf")

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Read as usual; end of file after `silence_s` without a byte."""
        try:
            data = super().recv(size, flags)
        except TimeoutError:
            if self._is_silent():
                return b""
            raise
        self.heard_at = time.monotonic()
        return data

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Write as usual; ConnectionError when nothing was heard for `silence_s`."""
        try:
            return super().send(data, flags)
        except TimeoutError:
            if self._is_silent():
                raise ConnectionError("the other side is silent") from None
            raise

    def watch(self, silence_s: float) -> None:
        """Start to count silence from now on."""
        self.silence_s = silence_s
        self.heard_at = time.monotonic()

    def _is_silent(self) -> bool:
        return time.monotonic() - self.heard_at > self.silence_s


def _dial(address: str, port: int, timeout_s: float) -> _WatchedSocket:
    plain = socket.create_connection((address, port), timeout=timeout_s)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _WatchedSocket(fileno=plain.detach())


def _keep_alive(transport: paramiko.Transport, keepalive: Keepalive) -> None:
    """Ask for an answer whenever the line is idle; the socket watches whether any comes."""

    def ask() -> None:
        request = paramiko.Message()
        request.add_byte(cMSG_GLOBAL_REQUEST)
        request.add_string("keepalive@openssh.com")
        request.add_boolean(True)  # paramiko's own keepalive wants no reply, and so never notices a dead host
        transport._send_user_message(request)  # type: ignore[attr-defined]  # there is no public way to send it

    if isinstance(transport.sock, _WatchedSocket):
        transport.sock.watch(keepalive.silence_s)
    transport.sock.settimeout(keepalive.look_s)
    transport.packetizer.set_keepalive(keepalive.every_s, ask)


def _host_key_entry(host: HostAddress, address: str, port: int) -> HostKeyEntry:
    name = address if port == 22 else f"[{address}]:{port}"
    try:
        entry = HostKeyEntry.from_line(f"{name} {host.host_key}") if host.host_key else None
    except InvalidHostKey:
        entry = None
    if entry is None:
        hint = "a host without a known key is never trusted; launch it through Rampart"
        raise HostKeyRefused(f"no host key is known for {host.host_id} at {host.address}", hint=hint)
    return entry


def _read_ssh_config(path: Path | None) -> paramiko.SSHConfig:
    if path is None:
        return paramiko.SSHConfig()
    try:
        return paramiko.SSHConfig.from_path(str(path))
    except OSError as error:
        hint = "look at RAMPART_SSH_CONFIG"
        raise HostUnreachable(f"the ssh config {path} cannot be read: {error.strerror}", hint=hint) from error


@contextmanager
def _translated(host: HostAddress) -> Generator[None]:
    """Turn what paramiko and the socket raise into our errors."""
    where = f"{host.host_id} at {host.address}"
    try:
        yield
    except paramiko.BadHostKeyException as error:
        hint = "someone may stand in between: the host is not used"
        raise HostKeyRefused(f"{where} answered with a wrong host key", hint=hint) from error
    except (paramiko.AuthenticationException, paramiko.PasswordRequiredException) as error:
        hint = f"the key {host.key_path} must be the event's, the user {host.user} the image's"
        raise HostUnreachable(f"{where} does not accept our key", hint=hint) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise HostUnreachable(f"{where} does not answer: {error or type(error).__name__}") from error
