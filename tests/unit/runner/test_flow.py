"""A run goes on from the value it is given, whatever this machine lacks for a while."""

from __future__ import annotations

import errno
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

    def __call__(self, finished: Finished, transport: Transport) -> Pulled:
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


def test_what_was_pulled_to_another_machine_is_pulled_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pulling = Pulling(tmp_path, failures=0)
    elsewhere = Pulled(finished(claimed(1)), Path("/nowhere/log"), None)
    summary, _ = carry(monkeypatch, elsewhere, pulling)
    assert (pulling.asked, summary.failed) == (1, 1)
