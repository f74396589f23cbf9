"""A run has one worker's place from the first moment to the last, whatever happens to scheduler and machines."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from clients.memory import Call
from contracts.errors import CloudError, HostKeyRefused, HostUnreachable
from contracts.work import HostLayout, Provisioned
from runner.dask.pool import DaskHosts, machine_of
from runner.interruption import Interrupted, Interruption, Wish
from runner.layout import LayoutMissing
from runner.ports import Transport
from tests.unit.runner.dask.pool_bench import GONE_S, LAYOUT, ONE, OTHER, Bench, find_layout, find_nothing
from tests.unit.runner.dask.pool_doubles import PATIENCE_S, SCHEDULER, OwnedDaskDouble
from tests.unit.runner.doubles import claimed


def run_lost(bench: Bench, pool: DaskHosts) -> Provisioned:
    """A run whose machine is gone for good, as far as anybody knows."""
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    provisioned = pool.acquire(claimed(1))
    bench.dask.end_machine(ONE)
    assert not pool.is_gone(provisioned)
    bench.clock.at += GONE_S
    assert pool.is_gone(provisioned)
    return provisioned


def test_a_run_takes_a_free_place_and_finds_the_challenge_there(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    provisioned = bench.pool().acquire(claimed(7))
    assert (machine_of(provisioned), provisioned.layout, provisioned.host.user) == (ONE, LAYOUT, "ubuntu")
    assert provisioned.is_standing
    assert bench.dask.workers[0].runs == ("iris-7-1",)


def test_a_run_waits_until_there_is_a_free_worker(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(bench.pool().acquire, claimed(1))
        bench.dask.until_waiting("iris-1-1")
        bench.dask.start_worker("tls://10.0.0.5:1", ONE)
        assert machine_of(waiting.result(PATIENCE_S)) == ONE


def test_a_place_that_an_earlier_dispatcher_took_for_the_run_is_used(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    bench.dask.start_worker("tls://10.0.0.6:1", OTHER)
    bench.dask.put(bench.dask.workers[1], "iris-1-1")
    assert machine_of(bench.pool().acquire(claimed(1))) == OTHER


@pytest.mark.parametrize(("wish", "keeps"), [(Wish.END, False), (Wish.CANCEL, False), (Wish.HAND_BACK, True)])
def test_who_is_stopped_while_waiting_gives_the_place_back_unless_runs_are_handed_back(
    bench: Bench, wish: Wish, keeps: bool
) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(bench.pool().acquire, claimed(1))
        bench.dask.until_waiting("iris-1-1")
        bench.interruption.ask(wish)
        with pytest.raises(Interrupted):
            waiting.result(PATIENCE_S)
    assert (("release", "iris-1-1") not in bench.dask.asked) == keeps
    assert bench.dask.scaled[-1][0] == 0


@pytest.mark.parametrize(("wish", "keeps"), [(Wish.END, False), (Wish.HAND_BACK, True)])
def test_who_is_stopped_while_the_challenge_is_looked_for_gives_the_place_back_unless_runs_are_handed_back(
    bench: Bench, wish: Wish, keeps: bool
) -> None:
    def find(transport: Transport) -> HostLayout:
        bench.interruption.ask(wish)
        return find_layout(transport)

    bench.find = find
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    with pytest.raises(Interrupted):
        bench.pool().acquire(claimed(1))
    assert bench.dask.workers[0].runs == (("iris-1-1",) if keeps else ())


def test_a_run_whose_own_interruption_is_asked_ends_alone(bench: Bench) -> None:
    own = Interruption(bench.interruption)
    own.ask(Wish.CANCEL)
    with pytest.raises(Interrupted):
        bench.pool().acquire(claimed(1), own)
    assert ("release", "iris-1-1") in bench.dask.asked
    assert not bench.interruption.asked


def test_a_worker_without_the_challenge_ends_the_wait_and_frees_the_place(bench: Bench) -> None:
    bench.find = find_nothing
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    with pytest.raises(LayoutMissing):
        bench.pool().acquire(claimed(1))
    assert bench.dask.workers[0].runs == ()


def test_a_scheduler_that_does_not_answer_is_waited_for_and_each_reason_is_said_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    bench.dask.refusals += [HostUnreachable("nobody is there")] * 3 + [HostUnreachable("it boots")] * 3
    with caplog.at_level(logging.WARNING):
        bench.pool().acquire(claimed(1))
    said = [record.getMessage() for record in caplog.records]
    assert said == ["no worker yet: nobody is there", "no worker yet: it boots"]


def test_a_scheduler_that_is_lost_while_a_place_is_waited_for_is_asked_again(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(bench.pool().acquire, claimed(1))
        bench.dask.until_waiting("iris-1-1")
        bench.dask.doors[0].close()
        bench.dask.waiting.pop("iris-1-1").set_exception(HostUnreachable("the scheduler is gone"))
        bench.dask.start_worker("tls://10.0.0.5:1", ONE)
        assert machine_of(waiting.result(PATIENCE_S)) == ONE
    assert len(bench.dask.doors) == 2


@pytest.mark.parametrize("error", [HostKeyRefused("another key"), CloudError("no such fleet")], ids=["key", "cloud"])
def test_what_waiting_does_not_mend_comes_out(bench: Bench, error: HostKeyRefused | CloudError) -> None:
    bench.dask.refusals = [error]
    with pytest.raises(type(error)):
        bench.pool().acquire(claimed(1))


def test_a_run_that_is_connected_to_keeps_its_place(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    transport = pool.connect(pool.acquire(claimed(1)))
    assert transport.run(["true"]).exit_code == 0
    assert bench.dask.asked[-1] == ("keep", "iris-1-1", ONE)


def test_further_jobs_of_a_run_keep_the_place_that_it_was_given(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    provisioned = pool.acquire(claimed(1))
    work = replace(provisioned.claimed.work, share=(2,))
    share = replace(provisioned, claimed=replace(provisioned.claimed, work=work))
    pool.connect(share)
    assert bench.dask.asked[-1] == ("keep", "iris-1-1", ONE)


def test_a_machine_without_workers_cannot_be_connected_to(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    provisioned = pool.acquire(claimed(1))
    bench.dask.end_machine(ONE)
    with pytest.raises(HostUnreachable, match="no worker is on that machine"):
        pool.connect(provisioned)


def test_a_machine_is_gone_only_after_a_while_without_workers(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    provisioned = pool.acquire(claimed(1))
    assert not pool.is_gone(provisioned)
    bench.dask.end_machine(ONE)
    for after_s, is_gone in ((0.0, False), (GONE_S - 1, False), (1.0, True)):
        bench.clock.at += after_s
        assert pool.is_gone(provisioned) == is_gone


@pytest.mark.parametrize("is_another_worker", [False, True])
def test_a_worker_that_is_seen_again_in_time_makes_its_machine_whole(bench: Bench, is_another_worker: bool) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    provisioned = pool.acquire(claimed(1))
    bench.dask.end_machine(ONE)
    assert not pool.is_gone(provisioned)
    bench.dask.start_worker(f"tls://10.0.0.5:{2 if is_another_worker else 1}", ONE)
    bench.clock.at += GONE_S
    assert not pool.is_gone(provisioned)
    bench.dask.end_machine(ONE)
    assert not pool.is_gone(provisioned)


def test_a_machine_that_its_owner_knows_to_have_ended_is_not_waited_for(bench: Bench) -> None:
    bench.dask = dask = OwnedDaskDouble()
    dask.start_worker("tls://10.0.0.5:1", ONE)
    dask.start_worker("tls://10.0.0.6:1", OTHER)
    pool = bench.pool()
    runs = [pool.acquire(claimed(1)), pool.acquire(claimed(2))]
    dask.lost.add("10.0.0.5")
    assert not pool.is_gone(runs[0])  # as long as its worker is seen
    dask.end_machine(ONE)
    dask.end_machine(OTHER)
    assert [pool.is_gone(run) for run in runs] == [True, False]


def test_a_silent_scheduler_says_nothing_of_its_machines(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    provisioned = pool.acquire(claimed(1))
    bench.dask.end_machine(ONE)
    assert not pool.is_gone(provisioned)
    bench.dask.is_silent = True
    bench.clock.at += 10 * GONE_S
    assert not pool.is_gone(provisioned)
    bench.dask.is_silent = False
    assert not pool.is_gone(provisioned)  # its workers may need a moment to come back, too
    bench.clock.at += GONE_S
    assert pool.is_gone(provisioned)


def test_a_run_that_is_over_leaves_neither_job_nor_place(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    provisioned = pool.acquire(claimed(1))
    pool.release(provisioned)
    assert bench.ended_on(ONE) == [".rampart/jobs/iris-1-1"]
    assert bench.dask.workers[0].runs == ()
    pool.release(provisioned)


def test_what_a_lost_run_left_is_ended_when_its_machine_comes_back(bench: Bench) -> None:
    pool = bench.pool()
    pool.release(run_lost(bench, pool))
    assert bench.ended_on(ONE) == []
    bench.dask.start_worker("tls://10.0.0.5:2", ONE)
    pool.acquire(claimed(2))
    assert bench.ended_on(ONE) == [".rampart/jobs/iris-1-1"]


def test_a_machine_that_came_back_is_as_good_as_any(bench: Bench) -> None:
    pool = bench.pool()
    pool.release(run_lost(bench, pool))
    bench.dask.start_worker("tls://10.0.0.5:2", ONE)
    second = pool.acquire(claimed(2))
    bench.dask.end_machine(ONE)
    assert not pool.is_gone(second)
    bench.dask.start_worker("tls://10.0.0.5:3", ONE)
    pool.connect(second)
    pool.release(second)
    assert bench.ended_on(ONE) == [".rampart/jobs/iris-1-1", ".rampart/jobs/iris-2-1"]


def test_what_could_not_be_ended_on_a_machine_that_came_back_is_ended_the_next_time(bench: Bench) -> None:
    pool = bench.pool()
    pool.release(run_lost(bench, pool))
    tries: list[str] = []

    def ends(call: Call) -> int:
        tries.append(call.argv[4])
        if len(tries) == 1:
            raise HostUnreachable("the machine is gone again")
        return 0

    bench.dask.ends = ends
    bench.dask.start_worker("tls://10.0.0.5:2", ONE)
    pool.acquire(claimed(2))
    assert tries == [".rampart/jobs/iris-1-1"] * 2


def test_a_lost_run_that_cannot_be_ended_hinders_no_other(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    pool = bench.pool()
    pool.release(run_lost(bench, pool))
    bench.dask.ends = lambda _: 1
    bench.dask.start_worker("tls://10.0.0.5:2", ONE)
    assert machine_of(pool.acquire(claimed(2))) == ONE
    assert "could not clean up after a lost run" in caplog.text


def test_a_door_that_has_closed_is_followed_by_another(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    provisioned = pool.acquire(claimed(1))
    bench.dask.doors[0].close()
    pool.connect(provisioned)
    assert [door.is_open for door in bench.dask.doors] == [False, True]


def test_what_is_dialled_is_announced_until_the_pool_is_closed(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    assert bench.announcement.found() is None
    pool.acquire(claimed(1))
    assert bench.announcement.found() == SCHEDULER
    pool.close()
    assert bench.announcement.found() is None
    assert bench.dask.is_closed
    assert not bench.dask.doors[0].is_open
    assert bench.dask.workers[0].runs == ("iris-1-1",)  # whoever adopts the run finds its place


def test_a_pool_that_never_dialled_is_closed_too(bench: Bench) -> None:
    bench.pool().close()
    assert bench.dask.is_closed
