"""`up` keeps the authority of the Dask cluster, and `destroy` forgets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.stack import StackOutputs
from tasks import dask_certificates

EVENT = """
ramp: {problem_name: iris, event_name: iris, kit_dir: kit}
worker: {worker_type: dask, ami_image_name: iris-backend}
"""
DASK = 'infra: {dask: {valid_until: "2099-03-31T18:00:00Z"%s}}\n'
DEPLOYED = StackOutputs(
    stack="iris", event="iris", region="eu-west-3", vpc_id="vpc-1", subnet_ids=("subnet-a",), build_subnet_id="",
    access="public", key_name="iris", security_group_id="sg-1", server_group_id="", builder_group_id="",
    launch_template_id="lt-1", instance_types=("t3.medium",), image_pipeline_arn="", image_name="", image_parameter="",
    image_log_group="",
)  # fmt: skip
WITH_MACHINES = DEPLOYED.model_copy(update={"dask_scheduler_id": "i-1"})
Printed = pytest.CaptureFixture[str]


def event(tmp_path: Path, text: str) -> EventConfig:
    (tmp_path / "kit" / "submissions" / "starting_kit").mkdir(parents=True)
    (tmp_path / "kit" / "problem.py").touch()
    path = tmp_path / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return load_event(path, environ={})


@pytest.fixture
def encrypted(tmp_path: Path) -> EventConfig:
    return event(tmp_path, EVENT + DASK % "")


def authority(event: EventConfig) -> bytes:
    return (event.state_dir / "dask-tls" / "ca.pem").read_bytes()


def test_the_first_up_makes_it_and_the_next_one_keeps_it(encrypted: EventConfig, capsys: Printed) -> None:
    dask_certificates.settle(encrypted, DEPLOYED)
    made = authority(encrypted)
    dask_certificates.settle(encrypted, DEPLOYED)
    assert authority(encrypted) == made
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("certificates of the Dask cluster: made, good until 2")
    assert second.startswith("certificates of the Dask cluster: kept, good until 2")


def test_it_is_replaced_when_that_is_asked_for(encrypted: EventConfig, capsys: Printed) -> None:
    dask_certificates.settle(encrypted, DEPLOYED)
    made = authority(encrypted)
    dask_certificates.settle(encrypted, DEPLOYED, rotate=True)
    assert authority(encrypted) != made
    assert "replaced" in capsys.readouterr().err


def test_how_many_machines_show_theirs_is_told(
    encrypted: EventConfig, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_certificates, "_certified", lambda *_: (1, 3))
    dask_certificates.settle(encrypted, WITH_MACHINES)
    assert capsys.readouterr().err.endswith(
        ", shown by 1 of 3 machines; train-loop gives the others theirs when they answer\n"
    )
    monkeypatch.setattr(dask_certificates, "_certified", lambda *_: (3, 3))
    dask_certificates.settle(encrypted, WITH_MACHINES)
    assert capsys.readouterr().err.endswith(", shown by 3 of 3 machines\n")


@pytest.mark.parametrize("infra", ["", DASK % ", insecure: true"])
def test_where_nothing_is_encrypted_there_is_none(tmp_path: Path, infra: str, capsys: Printed) -> None:
    clear = event(tmp_path, EVENT.replace("{worker_type: dask", "{worker_type: aws") + infra)
    dask_certificates.settle(clear, WITH_MACHINES)
    assert not (clear.state_dir / "dask-tls").exists()
    assert capsys.readouterr().err == ""


def test_it_is_forgotten_with_the_stack(encrypted: EventConfig) -> None:
    dask_certificates.settle(encrypted, DEPLOYED)
    dask_certificates.forget(encrypted)
    dask_certificates.forget(encrypted)
    assert not (encrypted.state_dir / "dask-tls").exists()
