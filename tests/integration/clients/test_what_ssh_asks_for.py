"""A host is asked to run commands and for nothing else; it is shown the event's key and no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from clients import keys, ssh
from contracts.errors import HostUnreachable
from contracts.remote import CommandResult
from contracts.work import HostAddress

T = TypeVar("T")


class CuriousHost(paramiko.ServerInterface):
    """A hostile host's SSH server, which takes note of everything it is asked for and would grant it all."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.shown: list[str] = []
        self.accepts = True

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password,keyboard-interactive"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.shown.append(f"{key.get_name()} {key.get_base64()}")
        return AUTH_SUCCESSFUL if self.accepts else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return self._note("password", AUTH_FAILED)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return self._note(f"open {kind}", OPEN_SUCCEEDED)

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_ended, args=(channel,), daemon=True).start()
        return self._note("exec", True)

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        return self._note("shell", True)

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        return self._note(f"subsystem {name}", False)

    def check_channel_pty_request(self, channel: paramiko.Channel, *_: Any) -> bool:
        return self._note("pty", True)

    def check_channel_env_request(self, channel: paramiko.Channel, name: bytes, value: bytes) -> bool:
        return self._note(f"env {name.decode()}", True)

    def check_channel_x11_request(self, channel: paramiko.Channel, *_: Any) -> bool:
        return self._note("x11", True)

    def check_channel_forward_agent_request(self, channel: paramiko.Channel) -> bool:
        return self._note("agent", True)

    def check_port_forward_request(self, address: str, port: int) -> int:
        return self._note("port forwarding", port)

    def _note(self, what: str, answer: T) -> T:
        self.asked.append(what)
        return answer


def _ended(channel: paramiko.Channel) -> None:
    """End a command, when the request for it has been answered: whoever answers it reads what comes back here."""
    channel.get_transport().global_request("has it been answered", wait=True)
    channel.send_exit_status(0)
    channel.close()


@pytest.fixture
def curious(tmp_path: Path) -> Iterator[tuple[CuriousHost, HostAddress]]:
    """A curious host that runs, with the way to it."""
    host_key = tmp_path / "host_key"
    public = keys.new_key_file(host_key)
    keys.new_key_file(tmp_path / "client_key")
    host = CuriousHost()
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = HostAddress(
            "i-1", "127.0.0.1", "ubuntu", door.getsockname()[1], public, key_path=tmp_path / "client_key"
        )
        transports: list[paramiko.Transport] = []

        def serve() -> None:
            transport = paramiko.Transport(door.accept()[0])
            transport.add_server_key(paramiko.Ed25519Key.from_private_key_file(str(host_key)))
            transport.start_server(server=host, event=threading.Event())
            transports.append(transport)

        server = threading.Thread(target=serve)
        server.start()
        yield host, address
        server.join(10)
        for transport in transports:
            transport.close()
            transport.join(10)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Keys that are not the event's: the organiser's own, and whatever an agent holds, which would hear of it here."""
    keys.new_key_file(tmp_path / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":0")
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(tmp_path / "agent"))
        agent.listen()
        agent.setblocking(False)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        yield agent


def test_a_host_that_lets_us_in_is_asked_to_run_commands_alone(
    curious: tuple[CuriousHost, HostAddress], agent: socket.socket
) -> None:
    host, address = curious
    transport = ssh.connect(address)
    try:
        assert transport.run(["true"]) == CommandResult(0, b"", b"")
        assert transport.send(["true"], [b"data"]).exit_code == 0
    finally:
        transport.close()
    assert host.asked == ["open session", "exec"] * 2
    with pytest.raises(BlockingIOError):
        agent.accept()


def test_a_host_that_takes_no_key_learns_of_none_but_the_events(
    curious: tuple[CuriousHost, HostAddress], agent: socket.socket, tmp_path: Path
) -> None:
    host, address = curious
    host.accepts = False
    with pytest.raises(HostUnreachable, match="does not accept our key"):
        ssh.connect(address)
    assert set(host.shown) == {(tmp_path / "client_key.pub").read_text().strip()}
    assert host.asked == []
    with pytest.raises(BlockingIOError):
        agent.accept()
