"""A host behind a jump host or a tunnel is as sure of itself as one that is dialled."""

from __future__ import annotations

import io
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from clients import keys, ssh, ssh_lines
from clients.keepalive import Keepalive
from clients.ssh_lines import Line
from contracts.errors import HostKeyRefused, HostUnreachable, ToolMissing
from contracts.work import HostAddress
from tests.contract.reachable import SLEEP, SPEAK, SshHost, behind, tunnelled

IMPATIENT = Keepalive(every_s=0.2, silence_s=1.0, look_s=0.1)


@pytest.fixture
def gateways() -> Iterator[ssh.Gateways]:
    shared = ssh.Gateways()
    yield shared
    shared.close()


@pytest.fixture
def dials(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ports that are dialled from here on."""
    dialled: list[int] = []
    original = ssh_lines.dial

    def dial(address: str, port: int, timeout_s: float) -> Line:
        dialled.append(port)
        return original(address, port, timeout_s)

    monkeypatch.setattr(ssh_lines, "dial", dial)
    return dialled


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a stand-in for the AWS CLI on PATH, given as Python."""

    def put(script: str) -> None:
        program = tmp_path / "bin" / "aws"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable} -IS\n{script}", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return put


def test_files_cross_a_gateway_as_tar_streams(ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways) -> None:
    files = {f"file-{number}": bytes([number]) * 3000 for number in range(100)}
    transport = ssh.connect(behind(inner_host.address, ssh_host.address), gateways=gateways)
    assert transport.run(["mkdir", "-p", "crossed"]).exit_code == 0
    assert transport.send(["tar", "-xf", "-", "-C", "crossed"], [_packed(files)]).exit_code == 0
    with transport.receive(["tar", "-cf", "-", "-C", "crossed", *files]) as chunks:
        assert _unpacked(b"".join(chunks)) == files
    transport.close()


def test_a_gateway_with_a_wrong_key_is_refused(ssh_host: SshHost, inner_host: SshHost) -> None:
    _, other = keys.new_host_key()
    impostor = replace(ssh_host.address, host_key=other)
    with pytest.raises(HostKeyRefused, match=f"{impostor.host_id} at .* answered with a wrong host key"):
        ssh.connect(behind(inner_host.address, impostor))


def test_a_gateway_without_a_known_key_is_refused_before_anything_is_dialled(
    ssh_host: SshHost, inner_host: SshHost, dials: list[int]
) -> None:
    with pytest.raises(HostKeyRefused, match=f"no host key is known for {ssh_host.address.host_id}"):
        ssh.connect(behind(inner_host.address, replace(ssh_host.address, host_key="")))
    assert dials == []


def test_a_host_with_a_wrong_key_behind_a_good_gateway_is_refused(
    ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways
) -> None:
    with pytest.raises(HostKeyRefused, match=r"i-asyncssh at 127\.0\.0\.1 behind .* wrong host key"):
        ssh.connect(
            behind(replace(inner_host.address, host_key=ssh_host.address.host_key), ssh_host.address),
            gateways=gateways,
        )
    transport = ssh.connect(behind(inner_host.address, ssh_host.address), gateways=gateways)
    assert transport.run(SPEAK).exit_code == 3
    transport.close()


def test_a_gateway_that_does_not_know_our_key_is_unreachable(
    ssh_host: SshHost, inner_host: SshHost, tmp_path: Path
) -> None:
    keys.new_key_file(tmp_path / "stranger")
    with pytest.raises(HostUnreachable, match=f"{ssh_host.address.host_id} at .* does not accept our key"):
        ssh.connect(behind(inner_host.address, replace(ssh_host.address, key_path=tmp_path / "stranger")))


def test_a_host_that_does_not_answer_behind_a_gateway_is_unreachable(
    ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways
) -> None:
    absent = behind(replace(inner_host.address, port=1), ssh_host.address)
    with pytest.raises(HostUnreachable, match=f"behind {ssh_host.address.host_id} does not answer"):
        ssh.connect(absent, gateways=gateways)


def test_hosts_share_the_gateways_connection(
    ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways, dials: list[int]
) -> None:
    host = behind(inner_host.address, ssh_host.address)

    def speak(_: int) -> int:
        transport = ssh.connect(host, gateways=gateways)
        try:
            return transport.run(SPEAK).exit_code
        finally:
            transport.close()

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(speak, range(12))) == {3}
    assert dials == [ssh_host.address.port]


def test_a_gateway_that_died_ends_the_wait_and_is_connected_to_again(
    ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways, dials: list[int]
) -> None:
    host = behind(inner_host.address, ssh_host.address)
    transport = ssh.connect(host, gateways=gateways)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(transport.run, SLEEP)
        while not waiting.running():
            time.sleep(0.01)
        ssh_host.lose()
        with pytest.raises(HostUnreachable):
            waiting.result(5)
    again = ssh.connect(host, gateways=gateways)
    assert again.run(SPEAK).exit_code == 3
    assert dials == [ssh_host.address.port] * 2
    again.close()


def test_closing_one_host_leaves_the_others_behind_the_gateway(
    ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways
) -> None:
    host = behind(inner_host.address, ssh_host.address)
    first, second = (ssh.connect(host, gateways=gateways) for _ in range(2))
    first.close()
    assert second.run(SPEAK).exit_code == 3
    second.close()


def test_closed_gateways_end_the_connections_behind(
    ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways
) -> None:
    transport = ssh.connect(behind(inner_host.address, ssh_host.address), gateways=gateways)
    gateways.close()
    with pytest.raises(HostUnreachable):
        transport.run(SPEAK)
    transport.close()


def test_a_host_that_goes_silent_behind_a_gateway_is_found_out(
    ssh_host: SshHost, inner_host: SshHost, gateways: ssh.Gateways
) -> None:
    host = behind(inner_host.address, ssh_host.address)
    transport = ssh.connect(host, gateways=gateways, keepalive=IMPATIENT)
    assert transport.run(["sleep", "1.5"]).exit_code == 0  # silent, but it answers when asked
    with inner_host.frozen(), pytest.raises(HostUnreachable):
        transport.run(SPEAK)
    transport.close()


def test_a_gateway_that_goes_silent_is_found_out(ssh_host: SshHost, inner_host: SshHost) -> None:
    host = behind(inner_host.address, ssh_host.address)
    transport = ssh.connect(host, keepalive=IMPATIENT)
    with ssh_host.frozen(), pytest.raises(HostUnreachable):
        transport.run(SPEAK)
    transport.close()


def test_a_host_that_goes_silent_behind_a_tunnel_is_found_out(inner_host: SshHost, tmp_path: Path) -> None:
    transport = ssh.connect(tunnelled(inner_host.address, tmp_path), keepalive=IMPATIENT)
    with inner_host.frozen(), pytest.raises(HostUnreachable):
        transport.run(SPEAK)
    transport.close()


def test_a_host_with_a_wrong_key_behind_a_tunnel_is_refused(inner_host: SshHost, tmp_path: Path) -> None:
    _, other = keys.new_host_key()
    with pytest.raises(HostKeyRefused, match="wrong host key"):
        ssh.connect(tunnelled(replace(inner_host.address, host_key=other), tmp_path))


def test_a_tunnels_program_gets_its_arguments_as_they_are_and_its_variables(
    inner_host: SshHost, tmp_path: Path, aws: Callable[[str], None]
) -> None:
    odd = ("a b", "$HOME", "'", "*", "")
    relay = tunnelled(inner_host.address, tmp_path).proxy_command
    aws(
        "import os, sys\n"
        f"assert sys.argv[1:] == {list(odd)!r}, sys.argv\n"
        "assert os.environ['AWS_ACCESS_KEY_ID'] == 'AKIA', 'no key'\n"
        f"os.execv({relay[0]!r}, {list(relay)!r})\n"
    )
    host = replace(inner_host.address, proxy_command=("aws", *odd))
    transport = ssh.connect(host, environment={"AWS_ACCESS_KEY_ID": "AKIA"})
    assert transport.run(SPEAK).exit_code == 3
    transport.close()


def test_what_a_tunnels_program_says_when_it_fails_is_told(aws: Callable[[str], None], tmp_path: Path) -> None:
    aws("import sys\nprint('An error occurred\\x1b[2J (AccessDenied): not you', file=sys.stderr)\nsys.exit(254)\n")
    host = _behind_endpoint(tmp_path)
    with pytest.raises(
        HostUnreachable, match=r"does not answer: An error occurred\[2J \(AccessDenied\): not you"
    ) as caught:
        ssh.connect(host)
    assert "aws ec2-instance-connect open-tunnel --instance-id i-1" in caught.value.hint


def test_a_tunnel_without_its_program_is_a_missing_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="the program aws is not on PATH") as caught:
        ssh.connect(_behind_endpoint(tmp_path))
    assert "install" in caught.value.hint


def test_a_tunnels_program_ends_with_its_connection(inner_host: SshHost, tmp_path: Path) -> None:
    transport = ssh.connect(tunnelled(inner_host.address, tmp_path))
    program = str(tmp_path / "tunnel")
    assert _running(program) == 1
    transport.close()
    assert _running(program) == 0


def test_a_tunnel_that_ends_after_its_hour_ends_the_wait_and_is_opened_again(
    inner_host: SshHost, tmp_path: Path
) -> None:
    host = tunnelled(inner_host.address, tmp_path)
    transport = ssh.connect(host)
    inner_host.lose()
    with pytest.raises(HostUnreachable):
        transport.run(SLEEP)
    transport.close()
    again = ssh.connect(host)
    assert again.run(SPEAK).exit_code == 3
    again.close()


def test_an_ssh_config_that_names_the_host_tells_how_it_is_reached(inner_host: SshHost, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(f"Host 10.9.8.7\n  HostName 127.0.0.1\n  Port {inner_host.address.port}\n")
    host = replace(inner_host.address, address="10.9.8.7", port=22, proxy_command=("no-such-program",))
    transport = ssh.connect(host, ssh_config=config)
    assert transport.run(SPEAK).exit_code == 3
    transport.close()


def test_an_ssh_configs_proxy_command_is_the_way(inner_host: SshHost, tmp_path: Path) -> None:
    program = tunnelled(inner_host.address, tmp_path).proxy_command[0]
    config = tmp_path / "config"
    config.write_text(f"Host i.example\n  HostName 127.0.0.1\n  ProxyCommand {program} %h {inner_host.address.port}\n")
    transport = ssh.connect(replace(inner_host.address, address="i.example"), ssh_config=config)
    assert transport.run(SPEAK).exit_code == 3
    transport.close()


def test_an_ssh_configs_jump_host_is_refused_for_nobody_would_check_its_key(ssh_host: SshHost, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("Host i.example\n  ProxyJump somewhere.example\n")
    with pytest.raises(HostKeyRefused, match="ProxyJump"):
        ssh.connect(replace(ssh_host.address, address="i.example"), ssh_config=config)


def _behind_endpoint(folder: Path) -> HostAddress:
    keys.new_key_file(folder / "key")
    _, public = keys.new_host_key()
    command = ("aws", "ec2-instance-connect", "open-tunnel", "--instance-id", "i-1")
    return HostAddress("i-1", "10.0.0.5", "ubuntu", 22, public, folder / "key", proxy_command=command)


def _running(program: str) -> int:
    """How many processes run the script."""
    found = 0
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += program.encode() in command.read_bytes().split(b"\0")
        except OSError:
            continue
    return found


def _packed(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _unpacked(packed: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
