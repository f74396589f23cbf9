"""The event file and the stack's outputs say together how hosts are launched, and how they are reached."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.infra import Access
from contracts.stack import StackOutputs
from contracts.work import HostAddress
from runner.hosts import LaunchSettings, WayIn
from runner.workers.aws import launch_settings, way_in

EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: kit}}
worker: {{worker_type: aws, ami_image_name: iris-backend, {worker}}}
infra: {{{infra}}}
"""
OUTPUTS = StackOutputs(
    stack="iris", event="iris", region="eu-west-3", vpc_id="vpc-1", subnet_ids=("subnet-a", "subnet-b"),
    build_subnet_id="subnet-b", access="public", key_name="iris", security_group_id="sg-1", server_group_id="sg-2",
    builder_group_id="sg-3", launch_template_id="lt-1", instance_types=("t3.medium", "m7i.large"),
    image_pipeline_arn="", image_name="iris-backend", image_parameter="", image_log_group="",
)  # fmt: skip


def event(folder: Path, *, worker: str = "key_name: mine", infra: str = "access: public") -> EventConfig:
    (folder / "kit" / "submissions" / "starting_kit").mkdir(parents=True, exist_ok=True)
    (folder / "kit" / "problem.py").touch()
    path = folder / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(EVENT.format(worker=worker, infra=infra))
    return load_event(path, environ={})


def outputs(**changed: Any) -> StackOutputs:
    return OUTPUTS.model_copy(update=changed)


def settings_of(made: EventConfig, **changed: Any) -> LaunchSettings:
    return launch_settings(made, outputs=outputs(**changed), security_group_id=None)


def test_further_types_come_from_the_stack_after_the_events_own(tmp_path: Path) -> None:
    assert settings_of(event(tmp_path)).types == ("t3.medium", "m7i.large")
    preferring = event(tmp_path, worker="instance_type: m7i.large")
    assert settings_of(preferring).types == ("m7i.large", "t3.medium")


def test_types_written_in_the_event_file_win_over_the_stacks(tmp_path: Path) -> None:
    assert settings_of(event(tmp_path, infra="instance_types: [c7i.large]")).types == ("t3.medium", "c7i.large")


def test_a_type_the_stack_does_not_know_stands_alone(tmp_path: Path) -> None:
    assert settings_of(event(tmp_path, worker="instance_type: c7i.large")).types == ("c7i.large",)


def test_an_event_without_a_stack_reaches_its_hosts_as_its_file_says(tmp_path: Path) -> None:
    assert way_in(event(tmp_path), None, "") == WayIn(Access.PUBLIC)
    assert way_in(event(tmp_path, infra="access: inside"), None, "") == WayIn(Access.INSIDE)


@pytest.mark.parametrize("access", ["gateway", "eice"])
def test_what_only_a_stack_has_is_missed_without_one(tmp_path: Path, access: str) -> None:
    with pytest.raises(AskedWrongly, match=f"infra.access: {access}") as caught:
        way_in(event(tmp_path, infra=f"access: {access}"), None, "")
    assert "invoke up --event iris" in caught.value.hint


def test_the_gateway_is_reached_with_the_events_key_and_must_show_its_own(tmp_path: Path) -> None:
    made = event(tmp_path)
    deployed = outputs(access="gateway", gateway_id="i-gate", gateway_address="203.0.113.1", gateway_user="ec2-user")
    gateway = HostAddress("i-gate", "203.0.113.1", "ec2-user", host_key="ssh-ed25519 G", key_path=made.key_path)
    assert way_in(made, deployed, "ssh-ed25519 G") == WayIn(Access.GATEWAY, gateway=gateway)


def test_a_tunnel_names_region_profile_and_endpoint(tmp_path: Path) -> None:
    made = event(tmp_path, worker="profile_name: lab two")
    assert way_in(made, outputs(access="eice", eice_id="eice-1"), "").tunnel == (
        "aws", "ec2-instance-connect", "open-tunnel", "--region", "eu-west-3", "--profile", "lab two",
        "--instance-connect-endpoint-id", "eice-1",
    )  # fmt: skip


def test_launches_are_told_the_way(tmp_path: Path) -> None:
    assert settings_of(event(tmp_path), access="inside").way_in == WayIn(Access.INSIDE)
