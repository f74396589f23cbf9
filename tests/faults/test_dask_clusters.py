"""What happens to a Dask cluster happens to no submission."""

from __future__ import annotations

from collections.abc import Callable

from clients.dask.door import Door
from runner import app
from runner.store.wishes import Cancelled
from tests.dask_cluster import DaskCluster
from tests.faults.jobs import STAND_IN
from tests.faults.rehearsal import Rehearsal

RehearseOnDask = Callable[..., tuple[Rehearsal, DaskCluster]]


def test_a_machine_that_is_gone_costs_its_run_an_attempt_which_another_machine_makes_good(
    rehearse_on_dask: RehearseOnDask,
) -> None:
    event, cluster = rehearse_on_dask()
    event.submit("one", "two", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training(2)
    cluster.lose("worker0")
    event.until("the loss is noticed", lambda: (1, "requeued") in event.runs())
    event.await_end(dispatcher)
    assert sorted(event.attempts()) == [(1, "requeued", "host-lost"), (1, "scored", None), (2, "scored", None)]


def test_a_worker_that_is_started_anew_finds_the_run_of_the_one_before_it(rehearse_on_dask: RehearseOnDask) -> None:
    event, cluster = rehearse_on_dask(workers=1)
    event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training()
    cluster.kill("worker0")
    cluster.start_worker("worker0")
    event.await_end(dispatcher)
    assert event.attempts() == [(1, "scored", None)]
    assert sum(event.trainings().values()) == 1


def test_a_scheduler_that_is_started_anew_is_waited_for_and_nothing_is_run_twice(
    rehearse_on_dask: RehearseOnDask,
) -> None:
    event, cluster = rehearse_on_dask()
    event.submit("one", "two", "three", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training(2)
    for name in ("scheduler", "worker0", "worker1"):
        cluster.kill(name)
    event.until("the silence is noticed", lambda: "reconnecting" in dispatcher.said)
    cluster.start_scheduler()
    cluster.start_worker("worker0")
    cluster.start_worker("worker1")
    event.await_end(dispatcher)
    assert event.attempts() == [(1, "scored", None)] * 3
    assert set(event.trainings().values()) == {1}


def test_a_killed_dispatchers_runs_are_adopted_where_they_are(rehearse_on_dask: RehearseOnDask) -> None:
    event, _ = rehearse_on_dask()
    event.submit("one", "two", "three", code=STAND_IN.waits)
    first = event.dispatcher()
    event.until_training(2)
    first.kill()
    second = event.dispatcher()
    event.until("the runs are adopted", lambda: second.said.count("adopted run") == 2)
    event.await_end(second)
    assert event.attempts() == [(1, "scored", None)] * 3
    assert set(event.trainings().values()) == {1}


def test_a_cancelled_run_ends_with_all_its_processes_and_its_place_is_the_next_ones(
    rehearse_on_dask: RehearseOnDask,
) -> None:
    event, cluster = rehearse_on_dask(workers=1)
    event.submit("family", code=f'sleep 600 & (trap "" TERM; sleep 600) & {STAND_IN.waits}')
    event.submit("next")
    dispatcher = event.dispatcher()
    event.until_training()
    wishes = app.open_wishes(event.event)
    assert wishes.cancel(event.event.name, "blue", "family") is Cancelled.ASKED
    dispatcher.await_end()
    assert event.attempts() == [(1, "failed", "cancelled"), (1, "scored", None)], dispatcher.said
    assert list((cluster.home_of("worker0") / ".rampart" / "jobs").iterdir()) == []


def test_a_run_past_its_time_is_ended_on_its_worker(rehearse_on_dask: RehearseOnDask) -> None:
    event, _ = rehearse_on_dask(workers=1, timeout_s=1)
    event.submit("endless", code=STAND_IN.waits)
    event.dispatcher().await_end()
    assert event.attempts() == [(1, "failed", "timeout")]


def test_sixty_short_submissions_leave_nothing_behind(rehearse_on_dask: RehearseOnDask) -> None:
    event, cluster = rehearse_on_dask(workers=3, n_workers=5)
    event.submit(*(f"s{number}" for number in range(60)))
    said = event.dispatcher().await_end()
    assert "scored=60, failed=0, requeued=0, unexpected=0" in said, said
    assert "WARNING" not in said, said
    door = Door(cluster.scheduler)
    workers = door.workers()
    door.close()
    assert [worker.runs for worker in workers] == [()] * 3
    used = [list((cluster.home_of(f"worker{number}") / ".rampart" / "jobs").iterdir()) for number in range(3)]
    assert used == [[]] * 3  # each of them was used, and none keeps anything


def test_an_event_of_ramp_runs_on_workers_that_were_started_as_ramp_says(
    rehearse_as_ramp_has_it: RehearseOnDask,
) -> None:
    event, cluster = rehearse_as_ramp_has_it(workers=2)
    event.submit("one", "two", code=STAND_IN.waits)
    event.submit("three")
    dispatcher = event.dispatcher()
    event.until_training(2)
    door = Door(cluster.scheduler)
    workers = door.workers()
    door.close()
    assert len({worker.machine for worker in workers}) == 1
    assert sorted(len(worker.runs) for worker in workers) == [1, 1]  # neither has two, for all its threads
    event.await_end(dispatcher)
    assert event.attempts() == [(1, "scored", None)] * 3
    assert set(event.trainings().values()) == {1}
