"""An instance carries its clients on to SSH and Dask of the cloud's instances, and to nothing else."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from clients.aws.console import host_key_from_console
from clients.keys import new_host_key
from contracts.dask_machines import SCHEDULER_PORT
from contracts.host_boot import HostKey, render_user_data
from tests.integration.clouds import Cloud


@pytest.fixture(scope="module")
def two(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """A jump host that made its own key, and a host that was given one: their instance ids."""
    gateway = cloud.launch(UserData=render_user_data(lifetime_s=None))
    host = cloud.launch(UserData=render_user_data(lifetime_s=3600, host_key=HostKey(*new_host_key())))
    yield gateway["InstanceId"], host["InstanceId"]
    cloud.terminate(gateway["InstanceId"], host["InstanceId"])


def carry(cloud: Cloud, gateway: str, address: str, port: int | str) -> subprocess.CompletedProcess[bytes]:
    """Ask the gateway for a line to an address and port; what answers there speaks first."""
    command = cloud.ssh_command(gateway, options=("-W", f"{address}:{port}"))
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)


def test_a_client_reaches_a_host_over_another_one(cloud: Cloud, two: tuple[str, str]) -> None:
    gateway, host = two
    jump = " ".join(cloud.ssh_command(gateway, options=("-W", "%h:%p")))
    command = cloud.ssh_command(host, "echo $USER", options=("-o", f"ProxyCommand={jump}"))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"ubuntu\n"), done.stderr


def test_a_hosts_address_leads_to_its_ssh_server_whatever_port_that_has(cloud: Cloud, two: tuple[str, str]) -> None:
    address = cloud.describe(two[1])["PrivateIpAddress"]
    assert carry(cloud, two[0], address, 22).stdout.startswith(b"SSH-2.0-")


def test_no_other_service_of_this_machine_is_reached(cloud: Cloud, two: tuple[str, str]) -> None:
    api = urlsplit(cloud.environment["AWS_ENDPOINT_URL"]).port
    address = cloud.describe(two[1])["PrivateIpAddress"]
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as private,
        closing(socket.create_server((address, 0))) as near,
    ):
        places = [
            ("127.0.0.1", private.getsockname()[1]),
            ("localhost", private.getsockname()[1]),
            (address, near.getsockname()[1]),
            ("127.0.0.1", api),
            ("127.0.0.1", 22),
            ("169.254.169.254", 80),
            ("127.15.0.1", 22),
        ]
        for place in places:
            refused = carry(cloud, two[0], *place)
            assert refused.stdout == b"", place
            assert b"administratively prohibited" in refused.stderr, (place, refused.stderr)
        for door in (private, near):
            door.settimeout(0)
            with pytest.raises(BlockingIOError):  # nobody has come
                door.accept()


def test_a_machines_dask_scheduler_is_reached_over_it(cloud: Cloud, two: tuple[str, str]) -> None:
    address = cloud.describe(two[1])["PrivateIpAddress"]
    with closing(socket.create_server((address, SCHEDULER_PORT))) as scheduler:
        scheduler.settimeout(20)

        def greet() -> None:
            with scheduler.accept()[0] as wire:
                wire.sendall(b"dask")

        greeting = threading.Thread(target=greet)
        greeting.start()
        assert carry(cloud, two[1], address, SCHEDULER_PORT).stdout == b"dask"
        greeting.join()


def test_a_host_that_has_ended_is_reached_no_more(cloud: Cloud, two: tuple[str, str]) -> None:
    ended = cloud.launch()
    assert carry(cloud, two[0], ended["PrivateIpAddress"], 22).stdout.startswith(b"SSH-2.0-")
    cloud.terminate(ended["InstanceId"])
    assert b"administratively prohibited" in carry(cloud, two[0], ended["PrivateIpAddress"], 22).stderr


def test_the_console_shows_the_key_that_the_host_answers_with(cloud: Cloud, two: tuple[str, str]) -> None:
    for instance_id in two:
        text = cloud.client("ec2").get_console_output(InstanceId=instance_id, Latest=True)["Output"]
        assert text.startswith("[    0.000000] Linux version")
        address = cloud.describe(instance_id)["PrivateIpAddress"]
        assert host_key_from_console(text) in _known_keys(cloud, address)


def test_files_of_the_user_data_lie_on_the_machine(cloud: Cloud) -> None:
    instance = cloud.launch(UserData=render_user_data(lifetime_s=None, files={"/home/ubuntu/note": "hello\n"}))
    try:
        assert cloud.ssh(instance["PrivateIpAddress"], "cat note").stdout == b"hello\n"
    finally:
        cloud.terminate(instance["InstanceId"])


def _known_keys(cloud: Cloud, address: str) -> str:
    deadline = time.monotonic() + 5
    known = cloud.local.folder / "known_hosts"
    while address not in (text := known.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return "\n".join(line for line in text.splitlines() if address in line)
