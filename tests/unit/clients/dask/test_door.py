"""What a cluster says of itself is believed only where it could be true."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from clients.dask import door as doors
from clients.dask.door import Door
from clients.dask.frames import Frame
from contracts.dask import DaskWorker, Scheduler
from contracts.errors import HostUnreachable

MACHINE = "0123456789abcdef" * 2
ADDRESS = "tls://10.0.0.5:8788"
RUN = "iris-7-1-fold-0"
NO_MACHINES = [
    "", "../../etc/passwd", "/root", "a/b", MACHINE[:-1], f"{MACHINE}0", f"{MACHINE}\n", f"\n{MACHINE}",
    MACHINE.upper(), f"{MACHINE[:-1]}\x1b", f"{MACHINE[:-1]}\u0663", f"{MACHINE[:-3]}../", "-rf", "localhost", None,
    True, 7, 1.5, [MACHINE], {MACHINE: 1}, "g" * 32,
]  # fmt: skip
NO_WORDS = ["", "a b", "a\n", "\x1b[2J", "\u202ea", "x" * 201, None, True, 7, ["a"], {"a": 1}]


class Cluster:
    """What stands in for the process that asks a cluster; `told` is what that says."""

    def __init__(self, *_: object, **__: object) -> None:
        self.told: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.holds: Future[Frame] = Future()

    def ask(self, verb: str, **asked: Any) -> Frame:
        self.asked.append((verb, asked))
        return Frame(self.told)

    def begin(self, verb: str, **asked: Any) -> Future[Frame]:
        self.asked.append((verb, asked))
        return self.holds


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(doors, "Connection", lambda *_, **__: made)
    return made


@pytest.fixture
def door(cluster: Cluster) -> Door:
    return Door(Scheduler("tcp://127.0.0.1:8786"))


def worker(**said: Any) -> dict[str, Any]:
    return {"address": ADDRESS, "machine": MACHINE, "runs": [], **said}


def assert_workers_refused(cluster: Cluster, door: Door, *told: Any) -> None:
    cluster.told = {"workers": [worker(), *told]}
    with pytest.raises(HostUnreachable) as caught:
        door.workers()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_workers_are_told_with_their_machines_and_runs(cluster: Cluster, door: Door) -> None:
    cluster.told = {"workers": [worker(runs=[RUN]), worker(address="tcp://[::1]:8788")]}
    assert door.workers() == (DaskWorker(ADDRESS, MACHINE, (RUN,)), DaskWorker("tcp://[::1]:8788", MACHINE))


def test_a_cluster_without_workers_has_none(cluster: Cluster, door: Door) -> None:
    cluster.told = {"workers": []}
    assert door.workers() == ()


@pytest.mark.parametrize("machine", NO_MACHINES, ids=repr)
def test_a_worker_on_a_machine_that_we_never_named_is_refused(cluster: Cluster, door: Door, machine: object) -> None:
    assert_workers_refused(cluster, door, worker(machine=machine))


@pytest.mark.parametrize("word", NO_WORDS, ids=repr)
def test_a_worker_whose_address_or_runs_are_no_words_is_refused(cluster: Cluster, door: Door, word: object) -> None:
    assert_workers_refused(cluster, door, worker(address=word))
    assert_workers_refused(cluster, door, worker(runs=[RUN, word]))


@pytest.mark.parametrize("runs", [None, "abc", {"a": 1}, 7, True], ids=repr)
def test_runs_that_are_no_list_are_refused(cluster: Cluster, door: Door, runs: object) -> None:
    assert_workers_refused(cluster, door, worker(runs=runs))


@pytest.mark.parametrize("told", [None, "worker", 7, [], [ADDRESS, MACHINE, []], {}, {"address": ADDRESS}], ids=repr)
def test_what_is_no_worker_is_refused(cluster: Cluster, door: Door, told: object) -> None:
    assert_workers_refused(cluster, door, told)


@pytest.mark.parametrize("told", [None, "workers", 7, {ADDRESS: worker()}, True], ids=repr)
def test_workers_that_are_no_list_are_refused(cluster: Cluster, door: Door, told: object) -> None:
    cluster.told = {"workers": told}
    with pytest.raises(HostUnreachable, match="what is no answer"):
        door.workers()


def test_a_place_is_given_with_its_machine(cluster: Cluster, door: Door) -> None:
    waiting = door.hold(RUN, 60.0)
    cluster.holds.set_result(Frame({"machine": MACHINE, "address": ADDRESS}))
    assert waiting.result(0) == MACHINE
    assert cluster.asked == [("hold", {"key": RUN, "limit_s": 60.0})]


@pytest.mark.parametrize("machine", NO_MACHINES, ids=repr)
def test_a_place_on_a_machine_that_we_never_named_is_refused(cluster: Cluster, door: Door, machine: object) -> None:
    waiting = door.hold(RUN, 60.0)
    cluster.holds.set_result(Frame({"machine": machine}))
    with pytest.raises(HostUnreachable, match="does not say which machine"):
        waiting.result(0)


def test_a_place_that_is_refused_says_why(cluster: Cluster, door: Door) -> None:
    waiting = door.hold(RUN, 60.0)
    cluster.holds.set_exception(HostUnreachable("the scheduler is gone"))
    with pytest.raises(HostUnreachable, match="the scheduler is gone"):
        waiting.result(0)


def test_a_place_nobody_waits_for_any_more_is_nobodys_trouble(cluster: Cluster, door: Door) -> None:
    waiting = door.hold(RUN, 60.0)
    assert waiting.cancel()
    cluster.holds.set_result(Frame({"machine": "/etc/passwd"}))
    assert waiting.cancelled()
