"""Reach a host over SSH that proves itself with a key known beforehand."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import paramiko

from clients.feeding import Feeder
from clients.keepalive import KEEPALIVE, Keepalive
from clients.outputs import Stream, named
from clients.ssh_gateways import Gateways
from clients.ssh_pinned import Manner, PinnedConnection, translated
from clients.verbs import Verbs
from contracts.errors import CommandTimedOut, HostUnreachable
from contracts.work import HostAddress

__all__ = ["Gateways", "SshTransport", "connect"]

_CHUNK_BYTES = 64 * 1024


def connect(
    host: HostAddress,
    *,
    ssh_config: Path | None = None,
    keepalive: Keepalive = KEEPALIVE,
    gateways: Gateways | None = None,
    environment: Mapping[str, str] | None = None,
) -> SshTransport:
    """Open a connection; `ssh_config` may give the host another HostName, Port or ProxyCommand.

    A host behind a jump host is reached over one of the `gateways`' connections, else over one of its own;
    `environment` is given to a `proxy_command` besides ours. Raises HostKeyRefused, HostUnreachable, KeyFileInvalid or
    ToolMissing. Nothing is read from ~/.ssh, no agent is asked.
    """
    jump = gateways or Gateways()
    connection = PinnedConnection(host, Manner(ssh_config, keepalive, environment or {}))
    transport = SshTransport(connection, host, keepalive.silence_s, jump, closes_jump=gateways is None)
    try:
        connection.open(jump)
    except BaseException:
        transport.close()
        raise
    return transport


class SshTransport(Verbs):
    """One SSH connection; every command has a raw channel of its own, so several threads may use it at a time."""

    def __init__(
        self,
        connection: PinnedConnection,
        host: HostAddress,
        silence_s: float,
        jump: Gateways,
        *,
        closes_jump: bool,
    ) -> None:
        self._connection = connection
        self._host = host
        self._silence_s = silence_s
        self._jump = jump  # held for as long as the host is reached over it
        self._closes_jump = closes_jump

    def close(self) -> None:
        """End the connection; a wait in another thread ends with HostUnreachable."""
        self._connection.hang_up()
        if self._closes_jump:
            self._jump.close()

    @contextmanager
    def _started(self, argv: Sequence[str], chunks: Iterable[bytes], timeout_s: float | None) -> Iterator[_Command]:
        with translated(self._host):
            channel = self._transport().open_session(timeout=self._silence_s)
        command = _Command(channel, argv, timeout_s, self._check_host)
        try:
            with translated(self._host):
                # no shell in between: a signal is seen as one
                channel.exec_command(f"exec {shlex.join(argv)}" + (" </dev/null" if chunks == () else ""))
                command.feed(chunks)
            yield command
        finally:
            command.close()

    def _check_host(self) -> None:
        """Raise HostUnreachable unless the host still answers."""
        with translated(self._host):
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
