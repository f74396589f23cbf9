"""What happens to a Dask cluster happens to no submission."""

from __future__ import annotations

from collections.abc import Callable

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
