"""The cluster of a stack is reached by the event's way in, grows at once, and ends no worker that has a run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from contracts.dask import Scheduler, TlsFiles
from contracts.errors import CloudError, HostKeyRefused, HostUnreachable
from contracts.infra import Access
from contracts.work import HostAddress
from runner.dask.certifying import Certifier
from runner.dask.clusters.standing import Reach, StandingCluster, StandingSettings
from runner.dask.sizing import Bounds
from tests.unit.runner.dask.cluster_doubles import SCHEDULER, Account, Clock, Office

SETTINGS = StandingSettings(
    Access.PUBLIC, Bounds(least=1, most=4, patience_s=300), on_demand_base=1, look_s=0.001, resize_s=0
)
FILES = TlsFiles(Path("ca.pem"), Path("client.pem"), Path("client-key.pem"))
Logged = pytest.LogCaptureFixture


@dataclass
class Door:
    """A port that leads to a host."""

    host: HostAddress
    target: tuple[str, int]
    port: int = 40000
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Bench:
    """A standing cluster with all that it stands on."""

    account: Account = field(default_factory=Account)
    office: Office = field(default_factory=Office)
    clock: Clock = field(default_factory=Clock)
    doors: list[Door] = field(default_factory=list)

    def cluster(self, settings: StandingSettings = SETTINGS, *, insecure: bool = False) -> StandingCluster:
        account = self.account
        addresses = account.addresses()
        certifier = Certifier(
            account.found(), self.office, addresses=addresses, connect=account.connect, clock=self.clock
        )
        reach = Reach(
            machines=account.found(),
            addresses=addresses,
            open_forward=self._open,
            certifier=None if insecure else certifier,
            client=lambda: None if insecure else FILES,
        )
        self.made = StandingCluster(settings, reach, fleet=account.fleet, instances=account.instances, clock=self.clock)
        return self.made

    def addresses(self, *instance_ids: str) -> list[str]:
        found = (self.account.instances.instance(each) for each in instance_ids)
        return [each.private_address for each in found if each is not None]

    def _open(self, host: HostAddress, target: tuple[str, int]) -> Door:
        self.doors.append(Door(host, target))
        return self.doors[-1]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.made = bench.cluster()
    yield bench
    bench.made.close()


def test_from_outside_the_scheduler_is_reached_over_its_own_machine(bench: Bench) -> None:
    cluster = bench.cluster()
    assert cluster.scheduler() == Scheduler("tls://127.0.0.1:40000", FILES)
    [door] = bench.doors
    assert (door.host.host_id, door.host.host_key) == (SCHEDULER, "ssh-ed25519 i-scheduler")
    assert door.target == ("10.79.0.1", 8786)
    assert cluster.scheduler().address == "tls://127.0.0.1:40000"
    assert len(bench.doors) == 1


def test_within_the_network_it_is_dialled(bench: Bench) -> None:
    cluster = bench.cluster(replace(SETTINGS, access=Access.INSIDE))
    assert cluster.scheduler() == Scheduler("tls://10.79.0.1:8786", FILES)
    assert bench.doors == []


def test_it_has_its_certificate_before_it_is_told(bench: Bench) -> None:
    bench.cluster().scheduler()
    assert bench.account.machine(SCHEDULER).files


def test_without_encryption_nothing_is_certified_and_no_file_shown(bench: Bench) -> None:
    assert bench.cluster(insecure=True).scheduler() == Scheduler("tcp://127.0.0.1:40000", None)
    assert bench.account.machine(SCHEDULER).files == {}


def test_a_worker_that_comes_later_is_certified_too(bench: Bench) -> None:
    cluster = bench.cluster()
    cluster.scheduler()
    cluster.scale(2)
    _until(lambda: all(bench.account.machine(each).files for each in bench.account.workers()))
    assert len(bench.account.workers()) == 2


def test_a_scheduler_that_boots_is_to_be_asked_again(bench: Bench) -> None:
    bench.account.outage = "nobody answers"
    cluster = bench.cluster()
    with pytest.raises(HostUnreachable, match="nobody answers"):
        cluster.scheduler()
    bench.account.outage = ""
    assert cluster.scheduler().tls == FILES


def test_a_scheduler_with_a_wrong_key_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> str:
        raise HostKeyRefused("two keys")

    monkeypatch.setattr(bench.account, "host_key", refuse)
    with pytest.raises(HostKeyRefused):
        bench.cluster().scheduler()


def test_one_that_has_ended_is_told_with_what_to_do(bench: Bench) -> None:
    bench.account.instances.terminate([SCHEDULER])
    with pytest.raises(HostUnreachable, match="has ended") as caught:
        bench.cluster().scheduler()
    assert "invoke up --event iris" in caught.value.hint


def test_it_grows_at_once_within_its_bounds(bench: Bench) -> None:
    cluster = bench.cluster()
    for wanted in (0, 3, 2, 9):
        cluster.scale(wanted)
    assert bench.account.fleet.sizes == [(1, 1), (3, 1), (4, 1)]


def test_what_is_not_on_spot_is_on_demand(bench: Bench) -> None:
    bench.cluster(replace(SETTINGS, on_demand_base=None)).scale(3)
    assert bench.account.fleet.sizes == [(3, 3)]


def test_idle_workers_are_ended_when_less_has_been_wanted_for_a_while(bench: Bench) -> None:
    cluster = bench.cluster()
    cluster.scheduler()
    cluster.scale(3)
    one, other, third = bench.account.workers()
    bench.clock.at = 100
    cluster.scale(1, [f"tls://{each}:8788" for each in bench.addresses(other)])
    bench.clock.at = 399
    _looks(bench)
    assert bench.account.workers() == [one, other, third]

    bench.clock.at = 400
    _until(lambda: bench.account.workers() == [other])

    assert bench.account.fleet.sizes[-1] == (1, 1)
    _looks(bench)
    assert bench.account.workers() == [other]


def test_none_is_ended_while_it_is_not_known_where_each_run_is(bench: Bench) -> None:
    cluster = bench.cluster()
    cluster.scheduler()
    cluster.scale(3)
    before = bench.account.workers()
    cluster.scale(2, bench.addresses(before[0]))
    bench.clock.at = 1000
    _looks(bench)
    assert bench.account.workers() == before


def test_workers_that_were_needed_meanwhile_stay(bench: Bench) -> None:
    cluster = bench.cluster()
    cluster.scheduler()
    cluster.scale(4)
    before = bench.account.workers()
    bench.clock.at = 100
    cluster.scale(0)
    bench.clock.at = 200
    cluster.scale(3, bench.addresses(*before[:3]))
    bench.clock.at = 300
    cluster.scale(0)
    bench.clock.at = 450
    _until(lambda: len(bench.account.workers()) == 3)
    assert bench.account.fleet.target() == 3


def test_closed_it_has_its_least_size_again_and_its_door_is_shut(bench: Bench) -> None:
    cluster = bench.cluster()
    cluster.scheduler()
    cluster.scale(3)
    cluster.scale(0)
    cluster.close()
    cluster.close()
    assert len(bench.account.workers()) == bench.account.fleet.target() == 1
    assert [door.is_closed for door in bench.doors] == [True]
    assert [each.name for each in threading.enumerate() if each.name == "dask-cluster"] == []


def test_closed_while_runs_go_on_it_leaves_them_their_workers(bench: Bench) -> None:
    cluster = bench.cluster()
    cluster.scheduler()
    cluster.scale(3)
    before = bench.account.workers()
    cluster.close()
    assert bench.account.workers() == before


def test_a_fleet_that_cannot_be_resized_is_told_and_tried_again(
    bench: Bench, caplog: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = bench.cluster()
    cluster.scheduler()
    resize = bench.account.fleet.resize

    def refuse(target: int, *, on_demand: int) -> None:
        raise CloudError("could not resize")

    monkeypatch.setattr(bench.account.fleet, "resize", refuse)
    with pytest.raises(CloudError):
        cluster.scale(2)
    _until(lambda: "could not resize" in caplog.text)
    monkeypatch.setattr(bench.account.fleet, "resize", resize)
    _until(lambda: len(bench.account.workers()) == 2)
    assert [record.levelno for record in caplog.records].count(logging.WARNING) == 1


def _looks(bench: Bench, count: int = 3) -> None:
    """Let the cluster look after its machines some times."""
    before = bench.account.instances.looks
    _until(lambda: bench.account.instances.looks >= before + count)


def _until(is_so: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(4000):
        if is_so():
            return
        pause.wait(0.005)
    raise AssertionError("it did not become so within 20 s")
