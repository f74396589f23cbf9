"""One machine for a while: it is tagged, waited for, and ended whatever happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clients.memory import MemoryHost, MemoryTransport
from contracts.errors import BootTimeout, CloudError, CommandFailed, HostGone, HostKeyRefused, HostUnreachable
from contracts.host_boot import HostKey
from contracts.instance import Instance, LaunchAnswer, LaunchRequest, Pool, Refusal
from contracts.work import HostAddress
from imagebuilder.ports import Rented
from imagebuilder.renting import RENTED_TAG, Clockwork, Place, Renting

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLACE = Place(
    event="flowers", stack="flowers", user="ubuntu", key_name="key", group_ids=("sg-in", "sg-out"), subnet_ids=("s-1",)
)


class Account:
    """An account in memory: instances are up at once unless told otherwise."""

    def __init__(self) -> None:
        self.requests: list[LaunchRequest] = []
        self.ended: list[str] = []
        self.state = "running"
        self.fails: BaseException | None = None
        self.refusals: tuple[Refusal, ...] = ()
        self.launches_silently = False
        self.tags: dict[str, str] = {}

    def launch(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        assert not again
        self.requests.append(request)
        if self.fails is not None:
            raise self.fails
        return LaunchAnswer(() if self.refusals else ("i-1",), self.refusals)

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        token = tags[RENTED_TAG]
        is_there = self.launches_silently and self.requests[-1].tags[RENTED_TAG] == token
        return [self._one()] if is_there and not self.ended else []

    def instance(self, instance_id: str) -> Instance | None:
        return self._one() if instance_id == "i-1" else None

    def terminate(self, instance_ids: Sequence[str]) -> None:
        self.ended += instance_ids

    def _one(self) -> Instance:
        return Instance("i-1", self.state, "127.0.0.9", "ami-1", "t3.small", NOW, tags=self.tags, reason="of a test")


class Bench:
    """A renting over an account in memory; its clock goes on by what is slept."""

    def __init__(self) -> None:
        self.account = Account()
        self.time_s = 0.0
        self.failures: list[BaseException] = []
        self.transports: list[MemoryTransport] = []
        self.host = MemoryHost({"sh": lambda _: self.exit_code})
        self.exit_code = 0
        self.renting = Renting(
            PLACE,
            self.account,
            address_of=lambda instance, key: HostAddress(
                instance.instance_id, instance.address, "ubuntu", host_key=key, key_path=Path("key")
            ),
            connect=self._connect,
            new_host_key=lambda: HostKey("private half", "ssh-ed25519 AAAA"),
            clockwork=Clockwork(lambda: NOW, lambda: self.time_s, self._sleep),
        )

    def rent(self) -> str:
        with self.renting.rented(
            "ami-1", instance_type="t3.small", purpose="image-verify", lifetime_s=1800, profile="builds"
        ) as rented:
            assert self.account.ended == []
            return rented.host_key

    def _connect(self, host: HostAddress) -> MemoryTransport:
        if self.failures:
            raise self.failures.pop(0)
        self.transports.append(self.host.connect())
        return self.transports[-1]

    def _sleep(self, pause_s: float) -> None:
        self.time_s += pause_s


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_machine_is_launched_with_its_owners_tags_and_ends_with_the_block(bench: Bench) -> None:
    assert bench.rent() == "ssh-ed25519 AAAA"
    (request,) = bench.account.requests
    assert request.tags["Name"] == "rampart-flowers-image-verify"
    assert request.tags["rampart:stack"] == request.tags["rampart:event"] == "flowers"
    assert request.tags["rampart:expires-at"] == (NOW + timedelta(seconds=1800)).isoformat()
    assert (request.pools, request.profile) == ((Pool("t3.small", "s-1"),), "builds")
    assert (request.security_group_id, request.further_group_ids) == ("sg-in", ("sg-out",))
    assert "shutdown" in request.user_data
    assert "private half" in request.user_data
    assert bench.account.ended == ["i-1"]


def test_a_machine_that_is_silent_at_first_is_waited_for(bench: Bench) -> None:
    bench.failures = [HostUnreachable("refused"), HostUnreachable("refused")]
    bench.rent()
    assert bench.time_s == pytest.approx(0.3)


def test_a_machine_that_never_answers_is_ended(bench: Bench) -> None:
    bench.failures = [HostUnreachable("connection refused")] * 1000
    with pytest.raises(BootTimeout, match="did not answer within 600 s: connection refused"):
        bench.rent()
    assert bench.account.ended == ["i-1"]


def test_a_machine_with_another_host_key_is_ended_at_once(bench: Bench) -> None:
    bench.failures = [HostKeyRefused("another key")]
    with pytest.raises(HostKeyRefused):
        bench.rent()
    assert (bench.account.ended, bench.time_s) == (["i-1"], 0.0)


def test_a_machine_that_ends_while_it_boots_is_told_with_its_reason(bench: Bench) -> None:
    bench.account.state = "shutting-down"
    with pytest.raises(HostGone, match="ended while booting: of a test"):
        bench.rent()


def test_no_machine_of_the_type_is_one_line_with_what_to_do(bench: Bench) -> None:
    bench.account.refusals = (Refusal(Pool("t3.small"), "InsufficientInstanceCapacity", "none left"),)
    with pytest.raises(CloudError, match=r"no machine of the type t3.small: none left") as caught:
        bench.rent()
    assert caught.value.code == "InsufficientInstanceCapacity"
    assert caught.value.hint


@pytest.mark.parametrize(
    "interruption", [CloudError("no answer", is_uncertain=True), KeyboardInterrupt()], ids=["lost answer", "Ctrl-C"]
)
def test_a_machine_that_was_launched_without_our_hearing_of_it_is_found_and_ended(
    bench: Bench, interruption: BaseException
) -> None:
    bench.account.fails = interruption
    bench.account.launches_silently = True
    with pytest.raises(type(interruption)):
        bench.rent()
    assert bench.account.ended == ["i-1"]


def test_a_refused_launch_is_not_searched_for(bench: Bench) -> None:
    bench.account.fails = CloudError("may not", code="UnauthorizedOperation")
    with pytest.raises(CloudError, match="may not"):
        bench.rent()
    assert bench.time_s == 0.0


def test_a_failure_within_the_block_ends_the_machine(bench: Bench) -> None:
    with (
        pytest.raises(ValueError, match="of a test"),
        bench.renting.rented("ami-1", instance_type="t3.small", purpose="x", lifetime_s=60),
    ):
        raise ValueError("of a test")
    assert bench.account.ended == ["i-1"]


def test_after_a_restart_only_an_answer_of_the_new_life_counts(bench: Bench) -> None:
    lives = iter([False, False, True])
    with bench.renting.rented("ami-1", instance_type="t3.small", purpose="x", lifetime_s=60) as rented:
        again = bench.renting.reconnected(rented, has_restarted=lambda _: next(lives))
    assert again.transport is bench.transports[-1]
    assert len(bench.transports) == 4
    assert bench.account.ended == ["i-1"]


def restarted(bench: Bench, left_s: float) -> Rented:
    with bench.renting.rented("ami-1", instance_type="t3.small", purpose="x", lifetime_s=60) as rented:
        bench.account.tags = {"rampart:expires-at": (NOW + timedelta(seconds=left_s)).isoformat()}
        return bench.renting.reconnected(rented, has_restarted=lambda _: True)


@pytest.mark.parametrize(("left_s", "minutes"), [(1800, "30"), (-5, "1")])
def test_a_machine_that_restarted_is_given_its_end_again(bench: Bench, left_s: float, minutes: str) -> None:
    restarted(bench, left_s)
    (call,) = bench.host.calls
    assert "shutdown -h" in call[2]
    assert call[-1] == minutes


def test_a_machine_that_would_not_end_by_itself_is_not_used(bench: Bench) -> None:
    bench.exit_code = 1
    with pytest.raises(CommandFailed, match="does not take its end"):
        restarted(bench, 1800)
    with pytest.raises(HostUnreachable):
        bench.transports[-1].run(["sh"])
