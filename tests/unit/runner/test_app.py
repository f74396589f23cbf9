"""What an event's way in needs is missed before anything is launched."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients import keys, ssh
from contracts.errors import HostKeyRefused, HostUnreachable, ToolMissing
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.image import ImageReference, ImageStatus
from contracts.stack import StackOutputs
from contracts.work import HostAddress
from runner import app
from runner.hosts import Ec2Hosts
from runner.interruption import Interruption
from runner.ports import Hosts

EVENT = """
ramp: {problem_name: iris, event_name: iris, kit_dir: kit}
worker: {worker_type: aws, ami_image_name: iris-backend, region_name: eu-west-3}
infra: {access: eice}
"""
BEHIND_ENDPOINT = StackOutputs(
    stack="iris", event="iris", region="eu-west-3", vpc_id="vpc-1", subnet_ids=("subnet-a",), build_subnet_id="",
    access="eice", key_name="iris", security_group_id="sg-1", server_group_id="", builder_group_id="",
    launch_template_id="lt-1", instance_types=("t3.medium",), image_pipeline_arn="", image_name="", image_parameter="",
    image_log_group="", eice_id="eice-1",
)  # fmt: skip


@pytest.fixture
def event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EventConfig:
    (tmp_path / "kit" / "submissions" / "starting_kit").mkdir(parents=True)
    (tmp_path / "kit" / "problem.py").touch()
    path = tmp_path / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(EVENT)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(app.SSH_CONFIG_VARIABLE, raising=False)
    made = load_event(path, environ={})
    keys.new_key_file(made.key_path)
    return made


def hosts_of(event: EventConfig, outputs: StackOutputs = BEHIND_ENDPOINT) -> Hosts:
    image = ImageReference("ami-1", "iris-backend 1", datetime(2026, 11, 20, tzinfo=UTC), ImageStatus.VERIFIED)
    return app.make_hosts(event, outputs=outputs, image=lambda: image, interruption=Interruption(), gateway_key="key")


def behind_a_gateway(monkeypatch: pytest.MonkeyPatch, answer: HostUnreachable) -> StackOutputs:
    """A stack whose gateway answers so."""

    def connect(host: HostAddress, **_: object) -> None:
        assert (host.host_id, host.host_key) == ("i-1", "key")
        raise answer

    monkeypatch.setattr(ssh, "connect", connect)
    told = {"access": "gateway", "eice_id": "", "gateway_id": "i-1", "gateway_address": "203.0.113.7"}
    return BEHIND_ENDPOINT.model_copy(update=told)


def test_tunnels_without_the_aws_program_are_one_line_before_anything_is_launched(event: EventConfig) -> None:
    with pytest.raises(ToolMissing, match=r"infra\.access: eice needs the program aws on PATH") as caught:
        hosts_of(event)
    assert "install the AWS CLI" in caught.value.hint


def test_tunnels_with_the_aws_program_are_ready(event: EventConfig, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.touch(mode=0o755)
    assert isinstance(hosts_of(event), Ec2Hosts)


def test_an_ssh_config_may_tell_another_way_than_tunnels(event: EventConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(app.SSH_CONFIG_VARIABLE, "/somewhere/config")
    assert isinstance(hosts_of(event), Ec2Hosts)


def test_a_gateway_with_another_key_is_refused_before_anything_is_launched(
    event: EventConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = behind_a_gateway(monkeypatch, HostKeyRefused("i-1 answered with a wrong host key"))
    with pytest.raises(HostKeyRefused, match="wrong host key"):
        hosts_of(event, outputs)


def test_a_gateway_that_is_silent_may_come_back(event: EventConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = behind_a_gateway(monkeypatch, HostUnreachable("i-1 does not answer"))
    assert isinstance(hosts_of(event, outputs), Ec2Hosts)
