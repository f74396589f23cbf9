"""The gateway's host key is learned once, from its console, and from nowhere else."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from clients.aws import console, session
from contracts.errors import HostKeyRefused
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.stack import StackOutputs
from tasks import gateway

EVENT = """
ramp: {problem_name: iris, event_name: iris, kit_dir: kit}
worker: {worker_type: aws, ami_image_name: iris-backend}
"""
PLAIN = StackOutputs(
    stack="iris", event="iris", region="eu-west-3", vpc_id="vpc-1", subnet_ids=("subnet-a",), build_subnet_id="",
    access="public", key_name="iris", security_group_id="sg-1", server_group_id="", builder_group_id="",
    launch_template_id="lt-1", instance_types=("t3.medium",), image_pipeline_arn="", image_name="", image_parameter="",
    image_log_group="",
)  # fmt: skip
DEPLOYED = PLAIN.model_copy(update={"access": "gateway", "gateway_id": "i-gate"})


@pytest.fixture
def event(tmp_path: Path) -> EventConfig:
    (tmp_path / "kit" / "submissions" / "starting_kit").mkdir(parents=True)
    (tmp_path / "kit" / "problem.py").touch()
    path = tmp_path / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(EVENT)
    return load_event(path, environ={})


@pytest.fixture
def consoles(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the consoles show from now on, look by look."""
    shown: dict[str, list[str]] = {}

    def host_key(_: object, instance_id: str, **__: Any) -> str:
        return shown[instance_id].pop(0)

    monkeypatch.setattr(session, "session_for", lambda _: None)
    monkeypatch.setattr(console.Console, "__init__", lambda _self, _session: None)
    monkeypatch.setattr(console.Console, "host_key", host_key)
    return shown


def test_an_event_without_a_gateway_has_no_key_to_know(event: EventConfig) -> None:
    assert gateway.ensure_known(event, None) == gateway.ensure_known(event, PLAIN) == ""


def test_the_key_is_read_once_and_kept(event: EventConfig, consoles: dict[str, list[str]]) -> None:
    consoles["i-gate"] = ["ssh-ed25519 AAAA"]
    assert gateway.ensure_known(event, DEPLOYED) == "ssh-ed25519 AAAA"
    assert gateway.ensure_known(event, DEPLOYED) == "ssh-ed25519 AAAA"
    assert stat.S_IMODE(gateway.known_path(event).stat().st_mode) == 0o600


def test_another_gateway_has_another_key(event: EventConfig, consoles: dict[str, list[str]]) -> None:
    consoles |= {"i-gate": ["ssh-ed25519 AAAA"], "i-new": ["ssh-ed25519 BBBB"]}
    gateway.ensure_known(event, DEPLOYED)
    replaced = DEPLOYED.model_copy(update={"gateway_id": "i-new"})
    assert gateway.ensure_known(event, replaced) == "ssh-ed25519 BBBB"
    assert gateway.ensure_known(event, DEPLOYED) == "ssh-ed25519 AAAA"


def test_a_gateway_without_a_key_is_refused_and_asked_again_another_time(
    event: EventConfig, consoles: dict[str, list[str]]
) -> None:
    consoles["i-gate"] = ["", "ssh-ed25519 AAAA"]
    with pytest.raises(HostKeyRefused, match="i-gate shows no host key") as caught:
        gateway.ensure_known(event, DEPLOYED)
    assert caught.value.hint
    assert gateway.ensure_known(event, DEPLOYED) == "ssh-ed25519 AAAA"


@pytest.mark.parametrize("text", ["", "[]", "{broken"])
def test_what_cannot_be_read_is_asked_for_again(event: EventConfig, consoles: dict[str, list[str]], text: str) -> None:
    gateway.known_path(event).parent.mkdir(parents=True, exist_ok=True)
    gateway.known_path(event).write_text(text)
    consoles["i-gate"] = ["ssh-ed25519 AAAA"]
    assert gateway.ensure_known(event, DEPLOYED) == "ssh-ed25519 AAAA"
