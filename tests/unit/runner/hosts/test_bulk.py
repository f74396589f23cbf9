"""Runs that want hosts at the same time share the calls to EC2, both ways."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Event

from clients.memory_instances import MemoryInstances
from contracts.errors import CloudError
from contracts.host_boot import HostKey
from contracts.instance import LaunchAnswer, LaunchRequest
from contracts.work import Claimed, Work
from runner.hosts.ending import Ending
from runner.hosts.launching import LaunchDoors, Launching
from runner.hosts.notices import Notices
from runner.hosts.settings import LaunchSettings, Tempo
from runner.hosts.unkept import Unkept
from runner.hosts.watching import Watch

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HERE = Path("/nowhere")
TAGS = {"rampart:stack": "iris", "rampart:event": "iris"}
MANY = 20


def claimed(number: int) -> Claimed:
    return Claimed(Work(number, "iris", "team", "s", 1, HERE, HERE, HERE, 60.0), NOW)


def launching(instances: MemoryInstances, **changed: float) -> Launching:
    settings = LaunchSettings(
        "iris", "iris", "iris", "t3.medium", "ubuntu", HERE, launch_template_id="lt-1", subnet_ids=("a", "b")
    )
    held: list[str] = []
    doors = LaunchDoors(
        instances=instances,
        launches=Unkept(),
        image=lambda: "ami-1",
        new_host_key=lambda: HostKey("PRIVATE", "ssh-ed25519 AAAA"),
        now=lambda: NOW,
        clock=lambda: 0.0,
        hosts_up=lambda: len(held),
        expect=held.append,
        surplus=lambda _: None,
    )
    return Launching(settings, doors, Tempo(**changed))


def at_once(count: int, do: Callable[[int], object]) -> list[object]:
    """Do something in so many threads that begin together."""
    barrier = Barrier(count)

    def one(number: int) -> object:
        barrier.wait(30)
        return do(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


class Slow(MemoryInstances):
    """Its first call of each kind is answered when it is let go."""

    def __init__(self) -> None:
        super().__init__(lambda: NOW)
        self.asked = Event()
        self.go_on = Event()

    def launch(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        self.asked.set()
        assert self.go_on.wait(30)
        return super().launch(request, again=again)


def test_those_who_come_while_a_launch_is_under_way_share_the_next_one() -> None:
    instances = Slow()
    hosts = launching(instances, gather=0.0)
    with ThreadPoolExecutor(MANY) as pool:
        first = pool.submit(hosts.place, claimed(0))
        assert instances.asked.wait(30)
        others = [pool.submit(hosts.place, claimed(number)) for number in range(1, MANY)]
        while len(hosts._together[False]._waiting) < MANY - 1:
            Event().wait(0.001)
        instances.go_on.set()
        ids = {one.result(30).instance_id for one in (first, *others)}
    assert len(ids) == MANY
    assert [request.count for request in instances.requests] == [1, MANY - 1]


def test_a_capacity_for_some_gives_them_hosts_and_the_others_a_reason() -> None:
    instances = MemoryInstances(lambda: NOW)
    instances.capacity = 7
    hosts = launching(instances)

    def place(number: int) -> object:
        try:
            return hosts.place(claimed(number)).instance_id
        except CloudError as error:
            return error.code

    answers = at_once(MANY, place)
    assert answers.count("VcpuLimitExceeded") == MANY - 7
    assert len({one for one in answers if one != "VcpuLimitExceeded"}) == 7
    assert hosts.limit.now() == 7


def test_hosts_that_are_given_back_together_are_ended_and_looked_at_together() -> None:
    instances = MemoryInstances(lambda: NOW)
    ids = instances.launch(
        LaunchRequest("ami-1", "token", TAGS, launching(instances)._settings.pools, MANY)
    ).instance_ids
    watch = Watch(instances, TAGS, tempo=Tempo(), clock=lambda: 0.0)
    # whoever is first waits until all the others have come along: nothing here depends on time
    ending = Ending(instances, watch, tempo=Tempo(gather=0.0), clock=lambda: 0.0, sleep=lambda _: None)
    ending._together._gather_s, ending._together._most = 30.0, MANY
    at_once(MANY, lambda number: ending.end(ids[number]))
    assert [len(batch) for batch in instances.terminations] == [MANY]
    assert instances.looks <= MANY
    assert all(one.is_released for one in instances.instances({}))


def test_a_notice_is_told_once_to_whom_it_concerns() -> None:
    instances = MemoryInstances(lambda: NOW)
    notices = Notices(instances, pause_s=3600.0)
    told: list[str] = []
    heard = Event()

    def hear(reason: str) -> None:
        told.append(reason)
        heard.set()

    instances.notices["i-1"] = "marked-for-termination"
    forget = notices.listen("i-2", told.append)
    forget_first = notices.listen("i-1", hear)
    notices.tell()
    assert heard.wait(30)
    notices.tell()
    assert told == ["EC2 takes i-1 back: marked-for-termination"]
    forget_first()
    forget()


def test_one_who_breaks_at_a_notice_keeps_nobody_else_from_hearing_it() -> None:
    instances = MemoryInstances(lambda: NOW)
    notices = Notices(instances, pause_s=3600.0)
    heard = Event()

    def breaks(reason: str) -> None:
        raise ValueError(reason)

    forgets = [notices.listen("i-1", breaks), notices.listen("i-2", lambda _: heard.set())]
    instances.notices |= {"i-1": "marked-for-termination", "i-2": "marked-for-termination"}
    notices.tell()
    assert heard.wait(30)  # its own thread may have been first
    for forget in forgets:
        forget()
