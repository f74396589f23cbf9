"""Workers that are free help a run with its folds, and the cluster knows how many are wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.errors import CloudError, HostUnreachable
from contracts.work import Claimed
from runner.dask.pool import machine_of
from runner.layout import LayoutMissing
from tests.unit.runner.dask.pool_bench import ONE, OTHER, Bench, find_nothing
from tests.unit.runner.doubles import claimed


def share_of(run: Claimed, fold: int) -> Claimed:
    return replace(run, work=replace(run.work, share=(fold,)))


def test_a_share_takes_a_worker_that_is_free_now(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    bench.dask.start_worker("tls://10.0.0.6:1", OTHER)
    pool = bench.pool()
    pool.acquire(claimed(1))
    helper = pool.acquire_another(share_of(claimed(1), 2))
    assert helper is not None
    assert machine_of(helper) == OTHER
    assert bench.dask.workers[1].runs == ("iris-1-1-fold-2",)


def test_a_share_waits_for_no_worker(bench: Bench) -> None:
    pool = bench.pool()
    assert pool.acquire_another(share_of(claimed(1), 2)) is None
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool.acquire(claimed(1))
    assert pool.acquire_another(share_of(claimed(1), 2)) is None
    assert not any(words[1] == "iris-1-1-fold-2" for words in bench.dask.asked)


def test_a_share_is_given_the_place_it_has_already(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    bench.dask.put(bench.dask.workers[0], "iris-1-1-fold-2")
    helper = bench.pool().acquire_another(share_of(claimed(1), 2))
    assert helper is not None
    assert machine_of(helper) == ONE


def test_a_share_for_which_another_run_was_faster_asks_for_nothing_any_more(bench: Bench) -> None:
    bench.another_s = 0.0
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    pool = bench.pool()
    bench.dask.give_places = lambda: None  # type: ignore[method-assign]
    assert pool.acquire_another(share_of(claimed(1), 2)) is None
    assert bench.dask.waiting == {}
    assert bench.dask.asked[-1] == ("release", "iris-1-1-fold-2")


def test_a_share_whose_worker_has_no_challenge_gives_the_place_back(bench: Bench) -> None:
    bench.find = find_nothing
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    with pytest.raises(LayoutMissing):
        bench.pool().acquire_another(share_of(claimed(1), 2))
    assert bench.dask.workers[0].runs == ()


def test_nobody_who_can_tell_means_no_share(bench: Bench) -> None:
    bench.dask.refusals += [HostUnreachable("nobody is there")] * 2
    assert bench.pool().acquire_another(share_of(claimed(1), 2)) is None


def test_the_cluster_is_told_how_many_are_wanted_and_who_is_busy(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    bench.dask.start_worker("tls://10.0.0.6:1", OTHER)
    pool = bench.pool(places_per_run=3)
    first = pool.acquire(claimed(1))
    assert bench.dask.scaled == [(3, None), (3, {"10.0.0.5"})]
    pool.acquire(claimed(2))
    assert bench.dask.scaled[-1] == (6, {"10.0.0.5", "10.0.0.6"})
    pool.release(first)
    assert bench.dask.scaled[-1] == (3, {"10.0.0.6"})


def test_the_shares_of_a_run_count_with_it_and_an_adopted_run_counts(bench: Bench) -> None:
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    bench.dask.start_worker("tls://10.0.0.6:1", OTHER)
    earlier = bench.pool().acquire(claimed(1))
    later = bench.pool(places_per_run=2)
    later.connect(earlier)
    assert bench.dask.scaled[-1] == (2, None)
    helper = later.acquire_another(share_of(claimed(1), 1))
    assert helper is not None
    later.release(helper)
    assert bench.dask.scaled[-1][0] == 2


def test_a_cluster_that_cannot_be_scaled_goes_on(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def scale(wanted: int, busy: object = None) -> None:
        raise CloudError("no capacity")

    bench.dask.scale = scale  # type: ignore[method-assign]
    bench.dask.start_worker("tls://10.0.0.5:1", ONE)
    assert machine_of(bench.pool().acquire(claimed(1))) == ONE
    assert "the cluster was not scaled: no capacity" in caplog.text
