"""A port of this machine leads over a host's verified connection to what only the host reaches."""

from __future__ import annotations

import hashlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from clients import ssh
from clients.keys import new_host_key
from clients.ssh_forward import Forward, open_forward
from contracts.work import HostAddress
from tests.integration.clouds import Cloud


@pytest.fixture(scope="module")
def two(cloud: Cloud) -> Iterator[tuple[HostAddress, HostAddress]]:
    """A host to go over, and one behind it."""
    hosts = cloud.launch_known(), cloud.launch_known()
    yield hosts
    cloud.terminate(*(host.host_id for host in hosts))


@pytest.fixture
def forward(cloud: Cloud, two: tuple[HostAddress, HostAddress]) -> Iterator[Forward]:
    over, behind = two
    opened = open_forward(over, (behind.address, 22), ssh_config=cloud.ssh_config, most=3)
    yield opened
    opened.close()


def come(forward: Forward) -> socket.socket:
    return socket.create_connection(("127.0.0.1", forward.port), timeout=20)


def greeting(forward: Forward) -> bytes:
    """What the host behind says first."""
    with come(forward) as wire:
        return wire.recv(8)


def test_bytes_go_both_ways_and_the_end_of_one_side_is_told_to_the_other(
    forward: Forward, two: tuple[HostAddress, HostAddress]
) -> None:
    data = b"0123456789abcdef" * 200_000
    host = ssh.connect(replace(two[1], address="127.0.0.1", port=forward.port))
    try:
        done = host.run(["sha256sum"], stdin=data)
        assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()
        assert len(host.run(["head", "-c", "3000000", "/dev/zero"]).stdout) == 3_000_000
    finally:
        host.close()


def test_the_next_connection_is_carried_after_the_one_to_the_host_broke(
    forward: Forward, two: tuple[HostAddress, HostAddress], cloud: Cloud
) -> None:
    with come(forward) as wire:
        assert wire.recv(8) == b"SSH-2.0-"
        cloud.client("ec2").reboot_instances(InstanceIds=[two[0].host_id])
        while wire.recv(4096):  # it ends with the host's
            pass
    assert greeting(forward) == b"SSH-2.0-"


def test_more_connections_than_it_is_for_are_refused_until_one_ends(forward: Forward) -> None:
    held = [come(forward) for _ in range(3)]
    assert [wire.recv(8) for wire in held] == [b"SSH-2.0-"] * 3
    assert _is_refused(forward)
    for wire in held:
        wire.close()
    deadline = time.monotonic() + 20
    while _is_refused(forward):
        assert time.monotonic() < deadline


def test_what_does_not_answer_there_is_told_once(
    cloud: Cloud, two: tuple[HostAddress, HostAddress], caplog: pytest.LogCaptureFixture
) -> None:
    over, behind = two
    caplog.set_level(logging.WARNING)
    forward = open_forward(over, (behind.address, 8786), ssh_config=cloud.ssh_config)
    try:
        assert _is_refused(forward)
        assert _is_refused(forward)
    finally:
        forward.close()
    [told] = [record for record in caplog.records if record.name == "clients.ssh_forward"]
    assert over.host_id in told.getMessage()


def test_a_host_with_another_key_carries_nothing(
    cloud: Cloud, two: tuple[HostAddress, HostAddress], caplog: pytest.LogCaptureFixture
) -> None:
    over, behind = two
    impostor = replace(over, host_key=new_host_key()[1])
    forward = open_forward(impostor, (behind.address, 22), ssh_config=cloud.ssh_config)
    try:
        assert _is_refused(forward)
    finally:
        forward.close()
    [told] = [record for record in caplog.records if record.name == "clients.ssh_forward"]
    assert told.levelno == logging.ERROR
    assert "wrong host key" in told.getMessage()


def test_closing_ends_what_is_carried_and_leaves_no_thread(forward: Forward) -> None:
    with come(forward) as wire:
        assert wire.recv(8) == b"SSH-2.0-"
        forward.close()
        forward.close()
        while wire.recv(4096):  # it ends
            pass
    with pytest.raises(OSError, match="refused"):
        come(forward)
    assert [each.name for each in threading.enumerate() if each.name.startswith("forward")] == []


def _is_refused(forward: Forward) -> bool:
    """Whether a connection is reset, be it while it is made; one that is carried is greeted."""
    try:
        assert greeting(forward) == b"SSH-2.0-"
    except ConnectionResetError:
        return True
    return False
