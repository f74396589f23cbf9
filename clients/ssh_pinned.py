"""Open an SSH connection to a host that proves itself with a key known beforehand."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import paramiko
from fabric import Config, Connection
from paramiko.common import cMSG_GLOBAL_REQUEST
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey

from clients import ssh_lines
from clients.keepalive import KEEPALIVE, Keepalive
from clients.keys import check_key_file
from clients.ssh_lines import Line
from clients.ssh_transport import OrderlyTransport
from contracts.errors import HostKeyRefused, HostUnreachable, KeyFileInvalid
from contracts.work import HostAddress

_LOG_CHANNEL = "clients.ssh.wire"


@dataclass(frozen=True, slots=True)
class Manner:
    """How connections are made: whose ssh config is heard, how soon silence is noticed.

    `environment` is given to a host's `proxy_command` besides our own.
    """

    ssh_config: Path | None = None
    keepalive: Keepalive = KEEPALIVE
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class Jump(Protocol):
    """Who opens a line to an address and port as a jump host sees them."""

    def line(self, gateway: HostAddress, target: tuple[str, int], manner: Manner) -> Line: ...


class PinnedConnection(Connection):  # type: ignore[misc]  # Fabric has no types
    """A Fabric connection that trusts one host key and nothing else (Fabric itself accepts any key)."""

    def __init__(self, host: HostAddress, manner: Manner) -> None:
        if host.key_path is None:
            raise KeyFileInvalid(f"no private key is known for {host.host_id}", hint="set worker.key_path")
        check_key_file(host.key_path)
        # what goes wrong on the wire is raised; paramiko's own log would print it a second time, with a traceback
        logging.getLogger(_LOG_CHANNEL).setLevel(logging.CRITICAL + 1)
        told = _read_ssh_config(manner.ssh_config)
        super().__init__(
            host.address,
            user=host.user or None,
            port=host.port if host.port != 22 else None,  # so that the ssh config's Port is heard
            config=Config(lazy=True, ssh_config=told),
            connect_kwargs={"key_filename": [str(host.key_path)]},
        )
        self._set(pinned=host, manner=manner, is_told=host.address in told.get_hostnames(), line=None)

    def open(self, jump: Jump) -> None:
        """Connect with the pinned key only, over `jump` where the host is behind one.

        Raises HostKeyRefused, HostUnreachable or ToolMissing.
        """
        keepalive = self.manner.keepalive
        client = paramiko.SSHClient()
        client.set_log_channel(_LOG_CHANNEL)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        entry = _host_key_entry(self.pinned, self.host, self.port)
        client.get_host_keys().add(entry.hostnames[0], entry.key.get_name(), entry.key)
        with translated(self.pinned):
            line = self._open_line(jump)
        try:
            with translated(self.pinned, line):
                client.connect(
                    self.host,
                    self.port,
                    self.user,
                    sock=line,  # type: ignore[arg-type]  # anything that behaves like a socket will do
                    key_filename=self.connect_kwargs["key_filename"],
                    allow_agent=False,
                    look_for_keys=False,
                    timeout=keepalive.answer_s,
                    banner_timeout=keepalive.answer_s,
                    auth_timeout=keepalive.answer_s,
                    transport_factory=OrderlyTransport,  # type: ignore[arg-type]  # the stub is behind the program
                )
        except BaseException:
            line.hang_up()
            client.close()
            line.close()
            raise
        self._set(client=client, transport=client.get_transport(), line=line)
        _keep_alive(self.transport, line, keepalive)

    def hang_up(self) -> None:
        """End the line first: paramiko's thread then ends at once instead of at its next look at it."""
        if self.line is not None:
            self.line.hang_up()
            self.client.close()
            self.line.close()

    @property
    def is_alive(self) -> bool:
        """Whether the connection stands, as far as is known."""
        return self.transport is not None and self.transport.is_active()

    def _open_line(self, jump: Jump) -> Line:
        """The way to the host. An ssh config that names it tells itself how a host behind a program is reached."""
        if self.pinned.via is not None:
            return jump.line(self.pinned.via, (self.host, self.port), self.manner)
        if self.pinned.proxy_command and not self.is_told:
            return ssh_lines.run(self.pinned.proxy_command, self.manner.environment)
        if isinstance(self.gateway, str):
            return ssh_lines.run(shlex.split(self.gateway), self.manner.environment)
        if self.gateway is not None:
            hint = "set infra.access: gateway, or a ProxyCommand whose program checks that host's key"
            raise HostKeyRefused(f"the ssh config's ProxyJump to {self.pinned.host_id} names no key", hint=hint)
        return ssh_lines.dial(self.host, self.port, self.manner.keepalive.answer_s)


@contextmanager
def translated(host: HostAddress, line: Line | None = None) -> Generator[None]:
    """Turn what paramiko and the socket raise into our errors; `line` may know more about it."""
    where = f"{host.host_id} at {host.address}" + (f" behind {host.via.host_id}" if host.via else "")
    try:
        yield
    except paramiko.BadHostKeyException as error:
        hint = "someone may stand in between: the host is not used"
        raise HostKeyRefused(f"{where} answered with a wrong host key", hint=hint) from error
    except (paramiko.AuthenticationException, paramiko.PasswordRequiredException) as error:
        hint = f"the key {host.key_path} must be the event's, the user {host.user} the image's"
        raise HostUnreachable(f"{where} does not accept our key", hint=hint) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        said = line.last_words() if line is not None else ""
        hint = f"that was: {shlex.join(host.proxy_command)}" if said else ""
        raise HostUnreachable(f"{where} does not answer: {said or error or type(error).__name__}", hint=hint) from error


def _keep_alive(transport: paramiko.Transport, line: Line, keepalive: Keepalive) -> None:
    """Ask for an answer whenever the line is idle; the line watches whether any comes."""

    def ask() -> None:
        request = paramiko.Message()
        request.add_byte(cMSG_GLOBAL_REQUEST)
        request.add_string("keepalive@openssh.com")
        request.add_boolean(True)  # paramiko's own keepalive wants no reply, and so never notices a dead host
        transport._send_user_message(request)  # type: ignore[attr-defined]  # there is no public way to send it

    line.watch(keepalive.silence_s)
    line.settimeout(keepalive.look_s)
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
