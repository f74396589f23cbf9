"""A run goes on from the value it is given, whatever this machine lacks for a while."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.work import (
    Adopted,
    Blame,
    Cause,
    Claimed,
    Finished,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
)
from runner.dispatcher import Summary
from runner.ports import Transport
from runner.progress import Progress, RunEnded
from runner.stages import pull
from tests.unit.runner.doubles import NOW, NoHosts, Queue, claimed
from tests.unit.runner.test_dispatcher import dispatcher

LAYOUT = HostLayout("/k", "/k", "/python", "/ramp-test")
EXIT = JobExit(JobEnd.EXITED, 0, 1.0, 1.0, 2**20, 0)


class Wire:
    """A connection nothing is asked of."""

    def close(self) -> None:
        pass


class OneHost(NoHosts):
    """A host that is there."""

    def connect(self, provisioned: Provisioned) -> Transport:
        return Wire()  # type: ignore[return-value]  # pulling is replaced


def finished(start: Claimed) -> Finished:
    provisioned = Provisioned(start, HostAddress("i-1", "127.9.9.9", "ubuntu"), LAYOUT)
    return Finished(Launched(Pushed(provisioned, "/job"), NOW), EXIT)


class Pulling:
    """Pulls after as many failures as it is told; what it pulls holds no scores."""

    def __init__(self, folder: Path, *, failures: int) -> None:
        self.log = folder / "log"
        self.failures = failures
        self.asked = 0

    def __call__(self, finished: Finished, transport: Transport, *, redact: object) -> Pulled:
        self.asked += 1
        if self.asked <= self.failures:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.log.write_text("")
        return Pulled(finished, self.log, None)


def carry(
    monkeypatch: pytest.MonkeyPatch, start: Finished | Pulled, pulling: Pulling, lost: dict[Cause, int] | None = None
) -> tuple[Summary, Queue]:
    monkeypatch.setattr(pull, "pull", pulling)
    queue = Queue(waiting=0)
    queue.orphans = [Adopted(start)]
    queue.lost = lost or {}
    return dispatcher(queue, OneHost()).serve(), queue


def test_a_full_disk_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pulling = Pulling(tmp_path, failures=3)
    summary, queue = carry(monkeypatch, finished(claimed(1)), pulling)
    assert (pulling.asked, summary.failed) == (4, 1)
    assert [(one.blame, one.cause) for one in queue.failed] == [(Blame.PARTICIPANT, Cause.BAD_OUTPUT)]


def test_a_disk_that_stays_full_is_the_platforms_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pulling = Pulling(tmp_path, failures=99)
    summary, queue = carry(monkeypatch, finished(claimed(1)), pulling, {Cause.INTERNAL: 2})
    assert (pulling.asked, summary.failed) == (6, 1)
    assert [(one.blame, one.cause) for one in queue.failed] == [(Blame.PLATFORM, Cause.INTERNAL)]
    assert "No space left on device" in queue.failed[0].message


def test_what_is_told_of_a_failure_holds_no_secret_and_no_terminal_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Pulled:
        raise ValueError("\x1b[2Jno postgresql://me:pw@db/x for AKIAABCDEFGHIJKLMNOP")

    monkeypatch.setattr(pull, "pull", broken)
    told: list[Progress] = []
    queue = Queue(waiting=0)
    queue.orphans = [Adopted(finished(claimed(1)))]
    queue.lost = {Cause.INTERNAL: 2}
    dispatcher(queue, OneHost(), seen=told).serve()
    shown = "unexpected error in Rampart: ValueError: no postgresql://me:***@db/x for ***"
    assert queue.failed[0].message == shown
    assert [one.outcome for one in told if isinstance(one, RunEnded)] == queue.failed


def test_what_was_pulled_to_another_machine_is_pulled_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pulling = Pulling(tmp_path, failures=0)
    elsewhere = Pulled(finished(claimed(1)), Path("/nowhere/log"), None)
    summary, _ = carry(monkeypatch, elsewhere, pulling)
    assert (pulling.asked, summary.failed) == (1, 1)


def test_a_run_whose_labels_have_changed_meanwhile_is_run_again_and_uses_up_no_attempt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "log").touch()
    (tmp_path / "training_output" / "fold_0").mkdir(parents=True)
    done = finished(claimed(1))
    blind = replace(done, launched=replace(done.launched, pushed=replace(done.launched.pushed, labels="one")))
    start = Pulled(blind, tmp_path / "log", tmp_path / "training_output")
    summary, queue = carry(monkeypatch, start, Pulling(tmp_path, failures=0))
    assert (summary.requeued, queue.failed) == (1, [])
    assert queue.requeued == [(1, "the event's runs are scored on their hosts by now", None)]
