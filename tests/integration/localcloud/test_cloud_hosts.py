"""Every running instance is a real SSH host."""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from contracts.errors import HostGone
from tests.integration.clouds import Cloud


@pytest.fixture(scope="module")
def address(cloud: Cloud) -> Iterator[str]:
    """One host for the tests that only talk to it."""
    instance = cloud.launch()
    yield instance["PublicIpAddress"]
    cloud.terminate(instance["InstanceId"])


def aws(cloud: Cloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The AWS command line with the printed environment and nothing else."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **cloud.environment}
    command = [sys.executable, "-m", "awscli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)


def test_plain_ssh_reaches_a_launched_instance_at_once(cloud: Cloud, address: str) -> None:
    done = cloud.ssh(address, "whoami; pwd; echo complaint >&2; exit 3")
    assert done.returncode == 3
    assert done.stderr == b"complaint\n"
    user, home = done.stdout.decode().split()
    assert Path(home).name == (user if cloud.local.level != "plain" else Path(home).name)


def test_the_api_tells_the_address_the_host_really_has(cloud: Cloud, address: str) -> None:
    found = cloud.client("ec2").describe_instances(Filters=[{"Name": "ip-address", "Values": [address]}])
    instance = found["Reservations"][0]["Instances"][0]
    assert instance["PrivateIpAddress"] == instance["PublicIpAddress"] == address
    assert address.startswith("127.")


def test_large_outputs_arrive_complete(cloud: Cloud, address: str) -> None:
    done = cloud.ssh(address, "head -c 20000000 /dev/zero; echo end >&2; exit 7")
    assert (len(done.stdout), done.stderr, done.returncode) == (20_000_000, b"end\n", 7)


def test_large_inputs_arrive_complete_with_their_end(cloud: Cloud, address: str) -> None:
    data = os.urandom(5_000_000)
    done = cloud.ssh(address, "sha256sum", stdin=data)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_input_the_command_does_not_read_does_no_harm(cloud: Cloud, address: str) -> None:
    assert cloud.ssh(address, "exit 5", stdin=bytes(5_000_000)).returncode == 5


def test_many_sessions_at_once_each_get_their_own_answer(cloud: Cloud, address: str) -> None:
    async def all_of_them() -> list[tuple[Any, int | None]]:
        async with await connect(cloud, address) as connection:
            runs = (connection.run(f"head -c 100000 /dev/zero | wc -c; exit {n}") for n in range(8))
            ended = await asyncio.gather(*runs)
        return [(done.stdout, done.exit_status) for done in ended]

    assert asyncio.run(all_of_them()) == [("100000\n", n) for n in range(8)]


def test_death_by_a_signal_is_told_as_such(cloud: Cloud, address: str) -> None:
    async def die() -> tuple[int | None, str]:
        async with await connect(cloud, address) as connection:
            done = await connection.run("kill -TERM $$")
        return done.exit_status, (done.exit_signal or ("",))[0]

    assert asyncio.run(die()) == (-1, "TERM")


def test_an_interactive_shell_has_a_terminal(cloud: Cloud, address: str) -> None:
    command = cloud.ssh_command(address, options=("-tt",))
    typed = b"stty size && test -t 0 && echo a ter''minal && exit 4\n"
    done = subprocess.run(command, input=typed, capture_output=True, timeout=60, check=False)
    assert done.returncode == 4
    assert b"\na terminal" in done.stdout


def test_files_go_there_and_back_by_sftp(cloud: Cloud, address: str, tmp_path: Path) -> None:
    if not Path("/usr/lib/openssh/sftp-server").exists():
        pytest.skip("sftp-server is not installed (Debian: openssh-sftp-server)")
    (tmp_path / "there").write_bytes(b"data" * 50_000)
    batch = f"put {tmp_path}/there sent\nget sent {tmp_path}/back\n"
    command = ["sftp", *cloud.ssh_command(address)[1:-1], "-b", "-", address]
    subprocess.run(command, input=batch.encode(), capture_output=True, timeout=60, check=True)
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


def test_nobody_but_the_login_user_with_the_launchs_key_is_let_in(cloud: Cloud, address: str, tmp_path: Path) -> None:
    refused = subprocess.run(
        cloud.ssh_command(address, "id", options=("-l", "root")), capture_output=True, timeout=60, check=False
    )
    assert b"Permission denied" in refused.stderr
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    stranger = Cloud(cloud.local, other)
    assert b"Permission denied" in stranger.ssh(address, "id").stderr


def test_a_lost_connection_ends_the_foreground_and_spares_what_detached_itself(cloud: Cloud, address: str) -> None:
    detaching = "setsid sh -c 'touch ~/detached; exec sleep 300' >/dev/null 2>&1 </dev/null & echo $!"
    waiting = "while [ ! -e ~/detached ]; do sleep 0.01; done"
    script = f"{detaching}; {waiting}; exec sh -c 'echo $$; exec sleep 301'"
    with subprocess.Popen(cloud.ssh_command(address, script), stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        detached, foreground = int(client.stdout.readline()), int(client.stdout.readline())
        client.kill()
    gone = f"while kill -0 {foreground} 2>/dev/null; do sleep 0.05; done; kill -0 {detached} && kill {detached}"
    assert cloud.ssh(address, f"timeout 20 sh -c '{gone}'").returncode == 0


def test_the_aws_command_line_terminates_a_host_with_its_processes_at_once(cloud: Cloud) -> None:
    instance = cloud.launch()
    address, instance_id = instance["PublicIpAddress"], instance["InstanceId"]
    machine = cloud.local.machine(instance_id)
    escapee = "env -i setsid sh -c 'echo up; exec sleep 302'"
    with subprocess.Popen(cloud.ssh_command(address, escapee), stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        listed = aws(cloud, "ec2", "describe-instances", "--query", "Reservations[].Instances[].InstanceId")
        assert instance_id in listed.stdout
        aws(cloud, "ec2", "terminate-instances", "--instance-ids", instance_id)
        readable, _, _ = select.select([running.stdout], [], [], 5)
        assert readable, "the connection outlived its host"
        assert running.stdout.read() == b""
        assert running.wait(5) == 255
    assert cloud.describe(instance_id)["State"]["Name"] == "terminated"
    with pytest.raises(HostGone):
        machine.spawn(["true"], user="root")
    with pytest.raises(ConnectionRefusedError), socket.create_connection((address, 22), timeout=5):
        pass
    assert address not in Path(cloud.environment["RAMPART_SSH_CONFIG"]).read_text()


async def connect(cloud: Cloud, address: str) -> asyncssh.SSHClientConnection:
    config = cloud.environment["RAMPART_SSH_CONFIG"]
    return await asyncssh.connect(address, config=[config], client_keys=[str(cloud.key_path)])
