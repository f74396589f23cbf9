"""Jobs run on an instance of the local cloud as they do on any host, and end with it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients import ssh
from clients.keys import new_host_key
from contracts.errors import HostKeyRefused, HostUnreachable
from contracts.work import Claimed, HostAddress, HostLayout, JobEnd, Provisioned, Work
from runner.stages import clean_up, launch, pull, push, wait
from tests.integration.clouds import Cloud

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Instance:
    """A launched instance, reached as the dispatcher reaches it."""

    address: HostAddress
    ssh_config: Path

    def connect(self) -> ssh.SshTransport:
        return ssh.connect(self.address, ssh_config=self.ssh_config)


@pytest.fixture(scope="module")
def instance(cloud: Cloud) -> Iterator[Instance]:
    """One instance with a host key of our making, and a stand-in for ramp-test that does as its submission says."""
    made = Instance(cloud.launch_known(), cloud.ssh_config)
    yield made
    cloud.terminate(made.address.host_id)


def provisioned(instance: Instance, folder: Path, program: str) -> Provisioned:
    submission = folder / "submission"
    submission.mkdir()
    (submission / "program.sh").write_text(program)
    work = Work(1, "iris", "team", "s", 1, submission, folder / "logs", folder / "predictions", 30.0)
    transport = instance.connect()
    stand_in = b'#!/bin/sh\ncd "$8/$2" && mkdir training_output && . ./program.sh\n'
    script = "mkdir -p kit prefix/bin && cat >prefix/bin/ramp-test && chmod +x prefix/bin/ramp-test && pwd -P"
    home = transport.run(["sh", "-c", f'cd "$HOME" && {script}'], stdin=stand_in).text.strip()
    transport.close()
    layout = HostLayout(f"{home}/kit", f"{home}/kit", sys.executable, f"{home}/prefix/bin/ramp-test")
    return Provisioned(Claimed(work, NOW), instance.address, layout)


def test_a_run_comes_home_from_an_instance_though_the_connection_broke(instance: Instance, tmp_path: Path) -> None:
    run = provisioned(instance, tmp_path, "sleep 0.5; whoami; echo 1 >training_output/bagged_scores.csv")
    first = instance.connect()
    launched = launch.launch(push.push(run, first), first, lambda: NOW)
    first.close()
    second = instance.connect()
    pulled = pull.pull(wait.wait(launched, second), second)
    clean_up.clean_up(run, second)
    second.close()
    assert (pulled.finished.exit.end, pulled.finished.exit.code) == (JobEnd.EXITED, 0)
    assert pulled.output_dir is not None
    assert (pulled.output_dir / "bagged_scores.csv").read_text() == "1\n"


def test_bulk_data_and_exit_codes_come_from_an_instance_as_they_are(instance: Instance) -> None:
    transport = instance.connect()
    data = bytes(range(256)) * 40_000
    assert transport.run(["cat"], stdin=data).stdout == data
    assert transport.run(["sh", "-c", "exit 7"]).exit_code == 7
    assert transport.run(["sh", "-c", "kill -9 $$"]).exit_code == -1
    transport.close()


def test_an_instance_that_shows_another_host_key_is_refused(instance: Instance) -> None:
    _, other = new_host_key()
    with pytest.raises(HostKeyRefused):
        ssh.connect(replace(instance.address, host_key=other), ssh_config=instance.ssh_config)


def test_terminating_an_instance_ends_the_wait_on_it(cloud: Cloud, instance: Instance, tmp_path: Path) -> None:
    run = provisioned(instance, tmp_path, "sleep 60")
    transport = instance.connect()
    launched = launch.launch(push.push(run, transport), transport, lambda: NOW)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait.wait, launched, transport)
        cloud.client("ec2").terminate_instances(InstanceIds=[instance.address.host_id])
        with pytest.raises(HostUnreachable):
            waiting.result(10)
    transport.close()
