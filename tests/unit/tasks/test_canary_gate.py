"""A public event is served where its canary was stopped at everything, and nowhere else unless that is waived."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import AskedWrongly
from contracts.event import Canary, ClusterKind, EventConfig, Scoring
from contracts.work import Containment
from runner import canary
from runner.app import open_canary_records
from runner.store import CanaryRecord
from tasks import canary_gate
from tests.contract.store_fixtures import event_in

NewEvent = Callable[..., EventConfig]


@pytest.fixture
def new_event(tmp_path: Path) -> NewEvent:
    """Make an event with a database of its own; it is public unless said otherwise."""

    def make(*, is_public: bool = True, **worker: object) -> EventConfig:
        event = event_in(tmp_path, f"sqlite:///{tmp_path}/event.db")
        ramp = event.ramp.model_copy(update={"event_is_public": is_public})
        return event.model_copy(update={"ramp": ramp, "worker": event.worker.model_copy(update=worker)})

    return make


def record(host: str) -> CanaryRecord:
    return CanaryRecord(host, Containment.SYSTEMD, True, canary.digest(), 57, (), datetime(2026, 11, 20, tzinfo=UTC))


def test_an_event_for_ones_own_needs_no_canary(new_event: NewEvent, capsys: pytest.CaptureFixture[str]) -> None:
    canary_gate.admitted(new_event(is_public=False))("ami-1")
    assert capsys.readouterr().err == ""


def test_a_public_event_is_refused_on_this_machine_until_its_canary_was_stopped(new_event: NewEvent) -> None:
    event = new_event()
    with pytest.raises(AskedWrongly, match="event iris is public, and no canary was sent to this machine yet") as no:
        canary_gate.admitted(event)
    assert no.value.hint.startswith("invoke canary --event iris, or worker.canary: waived in its file")
    records = open_canary_records(event)
    records.add("iris", replace(record(canary_gate.without_image(event)), not_stopped=("tcp", "home")))
    with pytest.raises(AskedWrongly, match="was not stopped at: tcp, home"):
        canary_gate.admitted(event)
    records.add("iris", record(canary_gate.without_image(event)))
    canary_gate.admitted(event)


def test_the_workers_of_a_dask_cluster_need_a_canary_of_their_own(new_event: NewEvent) -> None:
    event = new_event(worker_type="dask", dask_scheduler="tls://10.0.0.5:8786")
    with pytest.raises(AskedWrongly, match="no canary was sent to the Dask cluster of iris yet"):
        canary_gate.admitted(event)
    open_canary_records(event).add("iris", record(canary_gate.without_image(event)))
    canary_gate.admitted(event)
    here = new_event(worker_type="dask", cluster=ClusterKind.LOCAL)
    with pytest.raises(AskedWrongly, match="no canary was sent to this machine"):
        canary_gate.admitted(here)


def test_on_aws_each_image_needs_a_canary_of_its_own(new_event: NewEvent) -> None:
    event = new_event(worker_type="aws")
    open_canary_records(event).add("iris", record("ami-1"))
    check = canary_gate.admitted(event)
    check("ami-1")
    with pytest.raises(AskedWrongly, match="no canary was sent to ami-2 yet"):
        check("ami-2")


def test_a_waiver_is_told_at_every_start(new_event: NewEvent, capsys: pytest.CaptureFixture[str]) -> None:
    event = new_event(canary=Canary.WAIVED)
    for _ in range(2):
        canary_gate.admitted(event)
    assert capsys.readouterr().err.count("warning: iris is open to the public without a canary") == 2


def test_hosts_that_are_not_ours_to_try_need_a_waiver(new_event: NewEvent) -> None:
    with pytest.raises(AskedWrongly, match="no canary can be sent to hosts of mine:Worker") as no:
        canary_gate.admitted(new_event(worker_type="mine:Worker"))
    assert "worker.canary: waived" in no.value.hint


def test_a_canary_of_other_walls_or_other_labels_says_nothing(new_event: NewEvent) -> None:
    event, digest = new_event(), canary.digest()
    assert canary_gate.why_not(event, record("ami-1"), "ami-1", digest) == ""
    assert "another version" in canary_gate.why_not(event, record("ami-1"), "ami-1", "later")
    with_labels = new_event(scoring=Scoring.HOST)
    assert "scoring: host" in canary_gate.why_not(with_labels, record("ami-1"), "ami-1", digest)
