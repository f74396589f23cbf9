"""Folds that are trained side by side lose nothing, leave nothing running, and end as one run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import CapacityMissing, HostGone, LeaseLost, RampartError, RunLost
from contracts.work import (
    Adopted,
    Cause,
    Claimed,
    Failed,
    Finished,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Spread,
    StageValue,
    Work,
)
from runner import commands
from runner.carrying import salvaged
from runner.carrying.patience import Patience
from runner.flow import Surroundings
from runner.interruption import HandedBack, Interruption, Wish
from runner.job import run_blind, run_folds
from runner.ports import Transport
from runner.progress import Progress, RunEnded, Stage, StageStarted
from runner.scoring.bundle import Bundle
from runner.spread.dividing import Dividing, divided
from runner.spread.run import SpreadRun
from runner.stages import clean_up, launch, pull, push, salvage, wait
from tests.unit.runner.doubles import NOW, Queue, claimed

LAYOUT = HostLayout("/k", "/k", "/python", "/ramp-test")
Ends = dict[int, "JobExit | RampartError | str"]


def exited(code: int, *, cpu_s: float = 1.0, peak: int = 2**20) -> JobExit:
    return JobExit(JobEnd.EXITED, code, 10.0, cpu_s, peak, 0)


class Wire:
    """A connection that can be waited on until somebody closes it."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


class Free:
    """A pool with so many hosts free; the run's own is another one."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.released: list[str] = []
        self.notices: dict[str, Callable[[str], None]] = {}

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        return Provisioned(claimed, HostAddress("i-own", "10.0.0.1", "me"), LAYOUT)

    def acquire_another(self, claimed: Claimed) -> Provisioned | None:
        if not self.free:
            return None
        self.free -= 1
        return Provisioned(claimed, HostAddress(f"i-{claimed.work.share[0]}", "10.0.0.2", "me"), LAYOUT)

    def connect(self, provisioned: Provisioned) -> Transport:
        return Wire()  # type: ignore[return-value]  # the stages are replaced

    def is_gone(self, provisioned: Provisioned) -> bool:
        return False

    def release(self, provisioned: Provisioned) -> None:
        self.released.append(provisioned.host.host_id)

    def on_notice(self, provisioned: Provisioned, call: Callable[[str], None]) -> Callable[[], None]:
        self.notices[commands.job_name(provisioned.claimed.work)] = call
        return lambda: None


class Kept(Queue):
    """A queue that keeps what it was told of the run's way."""

    def __init__(self) -> None:
        super().__init__(waiting=0)
        self.journal: list[StageValue] = []
        self.hear: Callable[[StageValue], None] = lambda _: None

    def training_started(self, launched: Launched | Spread) -> None:
        self.journal.append(launched)

    def stage_started(self, work: Work, stage: Stage, host_id: str = "", *, after: StageValue | None = None) -> None:
        if after is not None:
            self.journal.append(after)
            self.hear(after)


class Jobs:
    """What jobs do, by the first fold of their share, -1 for the last one: they exit, are lost, or never end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, ends: Ends) -> None:
        self.folder = folder
        self.ends = ends
        self.pushed: list[Work] = []
        self.again: list[bool] = []
        self.ended: list[str] = []
        self.before: list[bytes] = []
        self.all_wait = threading.Barrier(1)
        for module, name, own in (
            (push, "push", self._push),
            (launch, "launch", self._launch),
            (wait, "wait", self._wait),
            (salvage, "bring_home", self._bring_home),
            (salvage, "salvage", self._salvage),
            (pull, "pull", self._pull),
            (clean_up, "clean_up", self._clean_up),
        ):
            monkeypatch.setattr(module, name, own)

    def _push(self, provisioned: Provisioned, transport: Transport, *, again: bool, bundle: Bundle | None) -> Pushed:
        self.pushed.append(provisioned.claimed.work)
        self.again.append(again)
        return Pushed(provisioned, commands.job_folder(provisioned.claimed.work), bundle.labels if bundle else "")

    def _launch(self, pushed: Pushed, transport: Transport, clock: Callable[[], object]) -> Launched:
        return Launched(pushed, NOW)

    def _wait(self, launched: Launched, transport: Any) -> Finished:
        share = launched.pushed.provisioned.claimed.work.share
        end = self.ends.get(share[0] if share else -1, exited(0))
        if share:
            self.all_wait.wait(10)
        if isinstance(end, RampartError):
            raise end
        if end == "never":
            assert transport.closed.wait(10)
            raise HostGone("the connection was closed")
        assert isinstance(end, JobExit)
        return Finished(launched, end)

    def _bring_home(self, finished: Finished, transport: Transport) -> bytes:
        work = finished.launched.pushed.provisioned.claimed.work
        self._keep(work, work.share)
        return f"log of {work.share}\n".encode()

    def _salvage(self, launched: Launched, transport: Transport) -> tuple[int, ...]:
        work = launched.pushed.provisioned.claimed.work
        self._keep(work, work.share[:1])
        return work.share[:1]

    def _keep(self, work: Work, folds: tuple[int, ...]) -> None:
        assert work.salvage_dir is not None
        for number in folds:
            (work.salvage_dir / f"fold_{number}").mkdir(parents=True)

    def _pull(
        self, finished: Finished, transport: Transport, *, redact: object, before: tuple[bytes, ...] = ()
    ) -> Pulled:
        self.before = list(before)
        log = self.folder / "log"
        log.write_text("CV fold 0\nTraceback (most recent call last):\nValueError: no\n")
        return Pulled(finished, log, None)

    def _clean_up(self, provisioned: Provisioned, transport: Transport) -> None:
        self.ended.append(commands.job_name(provisioned.claimed.work))


class Scene:
    """One run with all around it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path, free: int, ends: Ends) -> None:
        self.hosts = Free(free)
        self.queue = Kept()
        self.jobs = Jobs(monkeypatch, folder, ends)
        self.told: list[Progress] = []
        self.interruption = Interruption()
        self.dividing = Dividing(3)
        self.scorer: Any = None
        one = claimed(1)
        self.claimed = replace(one, work=replace(one.work, folds=4, salvage_dir=folder / "salvaged" / "1"))

    def run(self, start: Claimed | Adopted | None = None) -> RunEnded:
        around = Surroundings(
            self.hosts,
            self.queue,
            self.interruption,
            lambda: NOW,
            self.told.append,
            Patience(first_pause_s=0.001, longest_pause_s=0.01),
            self.scorer,
        )
        return SpreadRun(start or self.claimed, around, self.interruption, dividing=self.dividing).to_its_end()

    def when_all_wait(self, count: int, do: Callable[[], None]) -> None:
        """Do something as soon as so many jobs are waited for."""
        self.jobs.all_wait = threading.Barrier(count, action=do)

    @property
    def shares(self) -> list[tuple[int, ...]]:
        return sorted(work.share for work in self.jobs.pushed if work.share)

    @property
    def last_job(self) -> Work:
        assert not self.jobs.pushed[-1].share
        return self.jobs.pushed[-1]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Scene]:
    return lambda free=2, ends=None: Scene(monkeypatch, tmp_path, free, ends or {})


Make = Callable[..., Scene]


def test_folds_are_dealt_in_turn_so_that_the_first_of_each_share_is_known_before() -> None:
    assert divided([0, 2, 3, 4, 6], 2) == [(0, 3, 6), (2, 4)]
    assert [share[0] for share in divided(range(7), 3)] == [0, 1, 2]


def test_both_scripts_say_alike_that_folds_cannot_be_run_apart() -> None:
    assert run_blind.CANNOT_BE_APART == run_folds.CANNOT_BE_APART


@pytest.mark.parametrize(("free", "shares"), [(9, [(0, 3), (1,), (2,)]), (1, [(0, 2), (1, 3)]), (0, [])])
def test_as_many_hosts_as_are_free_share_the_folds(make: Make, free: int, shares: list[tuple[int, ...]]) -> None:
    scene = make(free=free)
    scene.run()
    assert scene.shares == shares
    assert scene.last_job.salvaged == ((0, 1, 2, 3) if shares else ())
    assert sorted(scene.hosts.released) == sorted(["i-own", *(f"i-{share[0]}" for share in shares[1:])])
    assert scene.jobs.ended == (["iris-1-1-fold-0"] if shares else [])


def test_folds_kept_of_an_earlier_attempt_are_not_trained_again(make: Make) -> None:
    scene = make()
    work = replace(scene.claimed.work, salvaged=(0, 2))
    assert work.salvage_dir is not None
    for number in work.salvaged:
        (work.salvage_dir / f"fold_{number}").mkdir(parents=True)
    scene.run(replace(scene.claimed, work=work))
    assert (scene.shares, scene.last_job.salvaged) == ([(1,), (3,)], (0, 1, 2, 3))


def test_all_jobs_are_told_of_as_one(make: Make) -> None:
    ends = {0: exited(0, cpu_s=2.0, peak=50), 1: exited(0, cpu_s=3.0, peak=70), -1: exited(0, cpu_s=0.5, peak=60)}
    scene = make(free=1, ends=ends)
    failed = scene.run().outcome
    assert isinstance(failed, Failed)
    assert failed.exit is not None
    assert (failed.exit.cpu_time_s, failed.exit.peak_memory_bytes, failed.exit.wall_time_s) == (5.5, 70, 20.0)
    assert b"".join(scene.jobs.before).decode().splitlines() == [
        "----- folds 0, 2, trained beside the others -----",
        "log of (0, 2)",
        "----- folds 1, 3, trained beside the others -----",
        "log of (1, 3)",
        "----- all folds together -----",
    ]
    assert [one.stage for one in scene.told if isinstance(one, StageStarted)].count(Stage.WAIT) == 1
    assert scene.last_job.spent_s == 10.0


def test_a_share_that_fails_ends_the_run_and_all_other_jobs(make: Make) -> None:
    scene = make(ends={0: "never", 1: exited(1, cpu_s=7.0), 2: "never"})
    failed = scene.run().outcome
    assert isinstance(failed, Failed)
    assert (failed.cause, failed.message) == (Cause.RAISED, "the submission raised ValueError: no")
    assert failed.exit == exited(1, cpu_s=7.0)
    assert scene.jobs.before == []
    assert (scene.jobs.ended, sorted(scene.hosts.released)) == (["iris-1-1-fold-0"], ["i-1", "i-2", "i-own"])


def test_what_a_lost_helper_did_not_finish_falls_to_the_last_job_which_has_all_the_time(make: Make) -> None:
    scene = make(ends={1: RunLost("its supervisor is gone")})
    scene.run()
    assert (scene.last_job.salvaged, scene.last_job.spent_s) == ((0, 2, 3), 0.0)
    assert sorted(scene.hosts.released) == ["i-1", "i-2", "i-own"]


def test_a_helper_that_will_be_taken_away_leaves_what_it_has_finished(make: Make) -> None:
    scene = make(free=1, ends={1: "never"})
    scene.when_all_wait(2, lambda: scene.hosts.notices["iris-1-1-fold-1"]("EC2 takes it back"))
    scene.run()
    assert (scene.shares, scene.last_job.salvaged) == ([(0, 2), (1, 3)], (0, 1, 2))


def test_a_run_that_loses_its_own_host_keeps_what_all_others_have_finished(make: Make) -> None:
    scene = make(ends={0: HostGone("i-own ended")})
    assert scene.run().outcome is None
    assert scene.queue.requeued == [(1, "i-own ended", Cause.HOST_LOST)]
    assert scene.claimed.work.salvage_dir is not None
    assert salvaged.folds_in(scene.claimed.work.salvage_dir) == (1, 2)
    assert sorted(scene.hosts.released) == ["i-1", "i-2", "i-own"]


def test_on_notice_for_its_own_host_a_run_leaves_all_hosts_with_what_is_finished(make: Make) -> None:
    scene = make(free=1, ends={0: "never", 1: "never"})
    scene.when_all_wait(2, lambda: scene.hosts.notices["iris-1-1-fold-0"]("EC2 takes it back"))
    assert scene.run().outcome is None
    assert [cause for _, _, cause in scene.queue.requeued] == [Cause.SPOT_RECLAIMED]
    assert scene.claimed.work.salvage_dir is not None
    assert salvaged.folds_in(scene.claimed.work.salvage_dir) == (0, 1)
    assert sorted(scene.hosts.released) == ["i-1", "i-own"]


@pytest.mark.parametrize(("wish", "failed", "requeued"), [(Wish.CANCEL, 1, 0), (Wish.END, 0, 1)])
def test_a_run_that_is_stopped_leaves_no_job_behind(make: Make, wish: Wish, failed: int, requeued: int) -> None:
    scene = make(ends={0: "never", 1: "never", 2: "never"})
    scene.when_all_wait(3, lambda: scene.interruption.ask(wish))
    scene.run()
    assert (len(scene.queue.failed), len(scene.queue.requeued)) == (failed, requeued)
    assert (scene.jobs.ended, sorted(scene.hosts.released)) == (["iris-1-1-fold-0"], ["i-1", "i-2", "i-own"])


def test_a_run_that_is_handed_back_goes_on_with_the_jobs_there_are(make: Make) -> None:
    scene = make(ends={0: "never", 2: "never"})
    scene.queue.hear = lambda _: scene.interruption.ask(Wish.HAND_BACK)
    with pytest.raises(HandedBack):
        scene.run()
    assert (scene.jobs.ended, scene.hosts.released) == ([], ["i-1"])
    left = scene.queue.journal[-1]
    assert isinstance(left, Spread)
    assert (left.own, [helper.claimed.work.share for helper in left.helpers]) == ((0, 3), [(2,)])
    scene.jobs.ends, scene.jobs.pushed, scene.jobs.again = {}, [], []
    scene.queue.hear = lambda _: None
    scene.interruption = Interruption()
    scene.hosts.free = 5
    scene.run(Adopted(left))
    assert (scene.shares, scene.jobs.again) == ([(0, 3), (2,)], [True, True, True])
    assert scene.last_job.salvaged == (0, 1, 2, 3)
    assert sorted(scene.hosts.released) == ["i-1", "i-2", "i-own"]


def test_a_share_that_had_ended_before_its_dispatcher_did_is_only_released(make: Make) -> None:
    scene = make(ends={-1: RunLost("so that nothing is forgotten")})
    scene.run()
    begun = scene.queue.journal[0]
    assert isinstance(begun, Spread)
    scene.jobs.pushed, scene.hosts.released = [], []
    scene.run(Adopted(begun))
    assert [work.share for work in scene.jobs.pushed] == [()]
    assert sorted(scene.hosts.released) == ["i-1", "i-2", "i-own"]


def taken_over(_: StageValue) -> None:
    raise LeaseLost("somebody else has it")


def test_the_jobs_of_a_run_that_somebody_has_adopted_are_left_to_him(make: Make) -> None:
    scene = make(ends={0: "never", 2: "never"})
    scene.queue.hear = taken_over
    with pytest.raises(LeaseLost):
        scene.run()
    assert (scene.jobs.ended, scene.hosts.released) == ([], ["i-1"])


def test_what_is_left_of_a_run_that_had_ended_is_given_back_with_its_further_hosts(make: Make) -> None:
    scene = make()
    scene.run()
    begun = scene.queue.journal[0]
    scene.hosts.released = []
    around = Surroundings(scene.hosts, scene.queue, scene.interruption, lambda: NOW, scene.told.append)
    ended = Adopted(begun, has_ended=True)
    SpreadRun(ended, around, scene.interruption, dividing=scene.dividing).give_host_back()
    assert sorted(scene.hosts.released) == ["i-1", "i-2", "i-own"]


def test_a_kit_whose_folds_cannot_be_run_apart_is_run_in_one_job_and_warned_of_once(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    scene = make(ends=dict.fromkeys((0, 1, 2), exited(run_folds.CANNOT_BE_APART)))
    with caplog.at_level(logging.WARNING):
        scene.run()
        scene.hosts.free = 2
        scene.run()
    assert (scene.last_job.salvaged, scene.last_job.spent_s) == ((), 0.0)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "folds_at_a_time has no effect, for folds cannot be run apart"
    ]
    assert sorted(scene.hosts.released) == sorted(2 * ["i-1", "i-2", "i-own"])


def test_without_the_number_of_folds_a_run_is_one_job(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    scene = make()
    scene.run(replace(scene.claimed, work=replace(scene.claimed.work, folds=0)))
    assert (scene.shares, "does not know how many" in caplog.text) == ([], True)


def test_a_pool_that_fails_to_give_a_further_host_costs_the_run_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Claimed) -> Provisioned:
        raise CapacityMissing("none", retry_after_s=1.0)

    scene = make()
    monkeypatch.setattr(scene.hosts, "acquire_another", refuse)
    scene.run()
    assert (scene.shares, scene.last_job.salvaged, scene.hosts.released) == ([], (), ["i-own"])


class Changing:
    """A scorer whose kit changes after it was asked a few times."""

    def __init__(self, *labels: str) -> None:
        self._labels = list(labels)

    def bundle(self) -> Bundle:
        return Bundle(self._labels.pop(0) if len(self._labels) > 1 else self._labels[0], Path("/nowhere"))


def test_folds_that_were_trained_on_other_data_than_there_are_now_are_thrown_away(make: Make) -> None:
    scene = make()
    scene.scorer = Changing("before", "before", "after")
    assert scene.run().outcome is None
    assert scene.queue.requeued == [(1, "the kit's labels or folds were changed while the submission ran", None)]
    assert scene.claimed.work.salvage_dir is not None
    assert not scene.claimed.work.salvage_dir.exists()
    assert sorted(scene.hosts.released) == ["i-1", "i-2", "i-own"]
