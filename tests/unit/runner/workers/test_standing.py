"""An instance that was up before is used for one run and left up."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.memory import Call, MemoryHost
from clients.memory_instances import MemoryInstances
from contracts.errors import AskedWrongly
from contracts.work import Claimed, HostAddress, Work
from runner.hosts import WayIn
from runner.workers.standing import Standing, StandingHost, host_key_in, running_instance

AT = datetime(2026, 11, 20, tzinfo=UTC)
CLAIMED = Claimed(Work(1, "iris", "red", "one", 1, Path("/s"), Path("/l"), Path("/p"), timeout_s=60), AT)
HOST = HostAddress("i-1", "127.9.9.9", "ubuntu", host_key="ssh-ed25519 AAAA")
LAYOUT = b'{"kit_dir": "/kit", "data_dir": "/data", "python": "/py", "ramp_test": "/ramp-test"}\n/home/ubuntu'


def shell(call: Call) -> int:
    if "layout.json" in call.argv[2]:
        call.out(LAYOUT)
    return 0


def test_it_is_given_back_with_the_jobs_folder_removed_and_nothing_terminated() -> None:
    machine = MemoryHost({"sh": shell})
    instances = MemoryInstances(lambda: AT)
    hosts = StandingHost(Standing(HOST, "iris", "ami-1"), instances, connect=lambda _: machine.connect())
    provisioned = hosts.acquire(CLAIMED)
    assert provisioned.is_standing
    assert (provisioned.host, provisioned.layout.kit_dir) == (HOST, "/kit")
    hosts.release(provisioned)
    assert ".rampart/jobs/iris-1-1" in machine.calls[-1]


def test_an_instance_that_does_not_run_is_refused_before_anything_is_claimed() -> None:
    with pytest.raises(AskedWrongly, match="instance i-1 is not there in eu-west-3"):
        running_instance(MemoryInstances(lambda: AT), "i-1", region="eu-west-3", way_in=WayIn())


@pytest.mark.parametrize(
    "text",
    ["ssh-ed25519 AAAA root@host\n", "# host\n[127.0.0.1]:22 ssh-ed25519 AAAA\n", "ssh-ed25519 AAAA"],
)
def test_a_host_key_is_read_as_ssh_writes_it(text: str) -> None:
    assert host_key_in(text) == "ssh-ed25519 AAAA"


@pytest.mark.parametrize("text", ["", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "ssh-ed25519"])
def test_a_file_without_a_host_key_is_refused(text: str) -> None:
    with pytest.raises(AskedWrongly, match="holds no host key"):
        host_key_in(text)
