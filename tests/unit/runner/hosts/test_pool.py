"""An EC2 host is launched with its own key, waited for, and terminated whatever happens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from clients.memory_instances import MemoryInstances
from contracts.errors import (
    BootTimeout,
    CapacityMissing,
    CloudError,
    HostGone,
    HostKeyNotRotated,
    HostKeyRefused,
    HostUnreachable,
    ImageNotFound,
    LeaseLost,
    QuotaReached,
    RunOver,
    SpotReclaimed,
    StoreUnavailable,
)
from contracts.host_boot import HostKey, render_user_data
from contracts.instance import Instance, Launch, LaunchAnswer, LaunchRequest, Pool
from contracts.remote import CommandResult
from contracts.work import Claimed, HostAddress, Isolation, Work
from runner.hosts import Ec2Hosts, LaunchSettings, Tempo
from runner.hosts.requests import launch_request
from runner.hosts.rotating import MAKE_KEY
from runner.interruption import Interrupted, Interruption, Wish
from runner.ports import Launches
from runner.progress import Progress, SecurityEvent

OWN_KEY = f"ssh-ed25519 {'B' * 68}"
LAYOUT = {"kit_dir": "/k", "data_dir": "/k", "python": "/e/bin/python", "ramp_test": "/e/bin/ramp-test"}


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Sleeper(Interruption):
    """Sleeping moves the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        super().sleep(0)
        self._clock.sleep(seconds)


class LayoutOnly:
    """A host that knows its layout file, and may make itself a key of its own."""

    closed = False

    def __init__(self, own_key: str = "") -> None:
        self._own_key = own_key

    def run(self, argv: object, **_: object) -> CommandResult:
        if argv == MAKE_KEY:
            said = b"" if self._own_key else b"sudo: a password is required"
            return CommandResult(0 if self._own_key else 1, self._own_key.encode(), said)
        return CommandResult(0, (json.dumps(LAYOUT) + "\n/home/ubuntu").encode(), b"")

    def close(self) -> None:
        self.closed = True


class Fixture:
    def __init__(
        self,
        answers: list[Exception | None],
        *,
        launches: Launches | None = None,
        host_key: str = "ssh-ed25519 AAAA",
        instances: MemoryInstances | None = None,
        image: Callable[[], str] | None = None,
        own_key: str = "",
        **changed: Any,
    ) -> None:
        self.clock = Clock()
        self.image_id = "ami-1"
        self.instances = instances or MemoryInstances(self.clock)
        self.dialled: list[HostAddress] = []
        self.told: list[Progress] = []
        self._own_key = own_key
        self.interruption = Sleeper(self.clock)
        self._answers = answers
        settings: dict[str, Any] = {
            "stack": "iris", "event": "iris", "problem": "iris", "instance_type": "t3.medium",
            "user": "ubuntu", "key_path": Path("/keys/id"), "launch_template_id": "lt-1", "key_name": "iris",
            "security_group_id": "sg-1", "subnet_ids": ("subnet-a", "subnet-b"), "boot_timeout_s": 30,
        } | changed  # fmt: skip
        self.settings = LaunchSettings(**settings)
        self.hosts = Ec2Hosts(
            self.settings,
            self.instances,
            image=image or (lambda: self.image_id),
            connect=self._connect,  # type: ignore[arg-type]
            new_host_key=lambda: HostKey("PRIVATE", host_key),
            now=self.clock,
            launches=launches,
            observe=self.told.append,
            interruption=self.interruption,
            tempo=Tempo(gather=0.0),
            clock=lambda: self.clock.now.timestamp(),
            sleep=self.clock.sleep,
        )

    def _connect(self, host: HostAddress) -> LayoutOnly:
        self.dialled.append(host)
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        return LayoutOnly(self._own_key)

    def claimed(self, submission_id: int = 7, *, on_demand: bool = False) -> Claimed:
        here = Path("/nowhere")
        work = Work(submission_id, "iris", "team", "s", 1, here, here, here, 60.0, on_demand=on_demand)
        return Claimed(work, self.clock())

    def states(self) -> list[str]:
        return [found.state for found in self.instances.instances({})]


def test_a_host_is_dialled_with_the_key_it_was_launched_with() -> None:
    fixture = Fixture([None])
    provisioned = fixture.hosts.acquire(fixture.claimed())
    request = fixture.instances.requests[0]
    config = yaml.safe_load(request.user_data)
    assert config["ssh_keys"] == {"ed25519_private": "PRIVATE", "ed25519_public": "ssh-ed25519 AAAA"}
    assert fixture.dialled[0].host_key == provisioned.host.host_key == "ssh-ed25519 AAAA"
    assert provisioned.layout.kit_dir == "/k"


def test_a_host_that_makes_its_own_key_is_known_by_it_from_then_on() -> None:
    fixture = Fixture([], own_key=OWN_KEY)
    provisioned = fixture.hosts.acquire(fixture.claimed())
    assert [host.host_key for host in fixture.dialled] == ["ssh-ed25519 AAAA", OWN_KEY]
    assert provisioned.host.host_key == OWN_KEY
    fixture.hosts.connect(provisioned)
    assert fixture.dialled[-1].host_key == OWN_KEY


def test_an_instance_whose_own_key_was_noted_is_reached_by_it_and_by_the_launchs_where_it_has_not_taken_it() -> None:
    kept = KeptLaunches()
    fixture = Fixture([], launches=kept, own_key=OWN_KEY)
    claimed = fixture.claimed()
    launched = fixture.hosts.acquire(claimed)
    assert kept.kept_by_id[7].own_key == OWN_KEY
    fixture.dialled.clear()
    assert fixture.hosts.acquire(claimed) == launched
    assert [host.host_key for host in fixture.dialled] == [OWN_KEY]
    fixture.dialled.clear()
    fixture._answers.append(HostKeyRefused("another key"))
    assert fixture.hosts.acquire(claimed) == launched
    assert [host.host_key for host in fixture.dialled] == [OWN_KEY, "ssh-ed25519 AAAA", OWN_KEY]


def test_a_database_that_is_away_when_a_key_is_to_be_noted_is_waited_for() -> None:
    kept = KeptLaunches()
    kept.note_errors = [StoreUnavailable("away"), StoreUnavailable("away")]
    fixture = Fixture([], launches=kept, own_key=OWN_KEY)
    assert fixture.hosts.acquire(fixture.claimed()).host.host_key == OWN_KEY
    assert fixture.states() == ["running"]


@pytest.mark.parametrize(("error", "state"), [(LeaseLost("adopted"), "running"), (RunOver("ended"), "terminated")])
def test_an_instance_is_left_to_whoever_has_adopted_its_run_meanwhile(error: LeaseLost, state: str) -> None:
    kept = KeptLaunches()
    kept.note_errors = [error]
    fixture = Fixture([], launches=kept, own_key=OWN_KEY)
    with pytest.raises(type(error)):
        fixture.hosts.acquire(fixture.claimed())
    assert fixture.states() == [state]


def test_a_host_that_keeps_its_user_datas_key_is_ended_where_isolation_is_strict() -> None:
    fixture = Fixture([])
    claimed = fixture.claimed()
    strict = replace(claimed, work=replace(claimed.work, isolation=Isolation.STRICT))
    with pytest.raises(HostKeyNotRotated):
        fixture.hosts.acquire(strict)
    assert fixture.states() == ["terminated"]


def test_a_host_powers_itself_off_after_boot_run_and_margin() -> None:
    fixture = Fixture([None])
    fixture.hosts.acquire(fixture.claimed())
    (command,) = yaml.safe_load(fixture.instances.requests[0].user_data)["runcmd"]
    assert command == ["shutdown", "-h", "+16"]  # 30 s boot, 60 s run, 900 s margin
    assert fixture.instances.requests[0].tags["rampart:expires-at"] == "2026-11-20T12:16:30+00:00"


class KeptLaunches:
    """The record of launches, as it outlives a dispatcher; `over` are submissions whose run has ended."""

    def __init__(self) -> None:
        self.kept_by_id: dict[int, Launch] = {}
        self.over: set[int] = set()
        self.lost: set[int] = set()
        self.note_errors: list[Exception] = []

    def kept(self, work: Work) -> Launch | None:
        if work.submission_id in self.lost:
            raise LeaseLost("adopted by somebody else")
        return self.kept_by_id.get(work.submission_id)

    def intend(self, works: Sequence[Work], launch: Launch) -> None:
        for work in works:
            self.kept(work)
        self.kept_by_id |= {work.submission_id: launch for work in works}

    def answered(self, client_token: str, instance_ids: Mapping[int, str]) -> dict[int, str]:
        mine = {name: one for name, one in self.kept_by_id.items() if one.request.client_token == client_token}
        for name, launch in mine.items():
            if launch.instance_id:
                continue
            if name in instance_ids and name not in self.over:
                self.kept_by_id[name] = replace(launch, instance_id=instance_ids[name])
            else:
                del self.kept_by_id[name]
        return {name: self.kept_by_id[name].instance_id for name in mine if name in self.kept_by_id}

    def note_own_key(self, work: Work, instance_id: str, own_key: str) -> None:
        if self.note_errors:
            raise self.note_errors.pop(0)
        launch = self.kept_by_id[work.submission_id]
        assert launch.instance_id == instance_id
        self.kept_by_id[work.submission_id] = replace(launch, own_key=own_key)


class Killed(BaseException):
    """The dispatcher is killed."""


def test_a_launch_whose_answer_never_came_is_asked_for_again_with_the_same_token_and_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = KeptLaunches()
    first = Fixture([], launches=kept, host_key="ssh-ed25519 FIRST")
    claimed, launch = first.claimed(), first.instances.launch

    def launch_and_die(request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        launch(request, again=again)
        raise Killed

    monkeypatch.setattr(first.instances, "launch", launch_and_die)
    with pytest.raises(Killed):
        first.hosts.acquire(claimed)
    monkeypatch.undo()
    second = Fixture([], launches=kept, host_key="ssh-ed25519 SECOND", instances=first.instances)
    provisioned = second.hosts.acquire(claimed)
    one, other = first.instances.requests
    assert one == other
    assert second.states() == ["running"]
    assert provisioned.host.host_key == "ssh-ed25519 FIRST"


def test_an_instance_that_was_launched_before_is_waited_for_and_told_when_it_has_ended() -> None:
    kept = KeptLaunches()
    fixture = Fixture([], launches=kept)
    claimed = fixture.claimed()
    launched = fixture.hosts.acquire(claimed)
    assert fixture.hosts.acquire(claimed) == launched
    assert len(fixture.instances.requests) == 1
    fixture.hosts.release(launched)
    with pytest.raises(HostGone):
        fixture.hosts.acquire(claimed)


def test_what_a_host_boots_with_is_what_cloud_inits_schema_takes() -> None:
    fixture = Fixture([None])
    fixture.hosts.acquire(fixture.claimed())
    text = fixture.instances.requests[0].user_data
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    assert all(re.fullmatch(r"(ecdsa|ed25519|rsa)_(public|private|certificate)", name) for name in config["ssh_keys"])
    # the schema takes no empty list, and with ssh_keys nothing is generated anyway
    assert all(value != [] for value in config.values())
    assert all(isinstance(word, str) for command in config["runcmd"] for word in command)
    assert len(text.encode()) < 16 * 1024


def test_the_host_key_is_never_shown() -> None:
    fixture = Fixture([None])
    fixture.hosts.acquire(fixture.claimed())
    assert "PRIVATE" not in repr(fixture.instances.requests[0])


def test_a_host_that_does_not_answer_yet_is_tried_again() -> None:
    fixture = Fixture([HostUnreachable("refused"), HostUnreachable("refused"), None])
    fixture.hosts.acquire(fixture.claimed())
    assert len(fixture.dialled) == 3


def test_a_host_that_never_answers_is_terminated_after_the_boot_timeout() -> None:
    fixture = Fixture([HostUnreachable("no route")] * 100)
    with pytest.raises(BootTimeout, match=r"did not answer within 30 s: no route"):
        fixture.hosts.acquire(fixture.claimed())
    assert fixture.states() == ["terminated"]


def test_a_host_that_cannot_be_ended_hides_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fixture = Fixture([HostKeyRefused("another key")])

    def refuse(instance_ids: Sequence[str]) -> None:
        raise CloudError("could not terminate instances", code="RequestLimitExceeded")

    fixture.instances.terminate = refuse  # type: ignore[method-assign]
    with pytest.raises(HostKeyRefused):
        fixture.hosts.acquire(fixture.claimed())
    assert "could not terminate instances: i-00000000000000001 ends itself at its deadline" in caplog.text


@pytest.mark.parametrize(("user", "shut_out"), [("ubuntu", True), ("root", False)])
def test_root_is_shut_out_unless_it_is_who_logs_in(user: str, shut_out: bool) -> None:
    text = render_user_data(lifetime_s=60, user=user, host_key=HostKey("PRIVATE", "PUBLIC"))
    assert yaml.safe_load(text)["disable_root"] is shut_out


def test_a_host_with_another_key_is_terminated_at_once() -> None:
    fixture = Fixture([HostKeyRefused("another key")])
    with pytest.raises(HostKeyRefused):
        fixture.hosts.acquire(fixture.claimed())
    assert len(fixture.dialled) == 1
    assert fixture.states() == ["terminated"]
    assert fixture.told == [REFUSED]


REFUSED = SecurityEvent("iris", "host-key-refused", "i-00000000000000001")


def test_another_key_in_the_midst_of_a_run_is_told_as_well(caplog: pytest.LogCaptureFixture) -> None:
    fixture = Fixture([None, HostKeyRefused("another key")])
    provisioned = fixture.hosts.acquire(fixture.claimed())
    with pytest.raises(HostKeyRefused):
        fixture.hosts.connect(provisioned)
    assert fixture.told == [REFUSED]
    (record,) = [one for one in caplog.records if one.levelname == "CRITICAL"]
    assert (record.action, record.host) == ("host-key-refused", "i-00000000000000001")  # type: ignore[attr-defined]


def test_the_key_of_whoever_has_the_address_of_an_ended_host_is_no_alarm() -> None:
    fixture = Fixture([None, HostKeyRefused("another key")])
    provisioned = fixture.hosts.acquire(fixture.claimed())
    fixture.instances.terminate([provisioned.host.host_id])
    with pytest.raises(HostGone):
        fixture.hosts.connect(provisioned)
    assert fixture.told == []


def test_a_host_that_ends_while_booting_is_gone() -> None:
    fixture = Fixture([HostUnreachable("refused")])
    instances = fixture.instances
    fixture.interruption.on_ask(lambda: None)
    dial = fixture._connect

    def end_it(host: HostAddress) -> LayoutOnly:
        instances.terminate([host.host_id])
        return dial(host)

    fixture.hosts._booting._connect = end_it  # type: ignore[assignment]
    with pytest.raises(HostGone):
        fixture.hosts.acquire(fixture.claimed())


def test_an_interruption_while_booting_terminates_the_host() -> None:
    fixture = Fixture([HostUnreachable("refused")] * 5)
    fixture.interruption.ask()
    with pytest.raises(Interrupted):
        fixture.hosts.acquire(fixture.claimed())
    assert fixture.states() == ["terminated"]


def test_a_run_that_is_to_end_alone_while_its_host_boots_has_it_terminated() -> None:
    fixture = Fixture([HostUnreachable("refused")] * 5)
    with fixture.interruption.for_one() as own:
        own.ask(Wish.CANCEL)
        with pytest.raises(Interrupted):
            fixture.hosts.acquire(fixture.claimed(), own)
    assert fixture.states() == ["terminated"]


def test_without_a_template_hosts_are_spread_over_the_subnets() -> None:
    fixture = Fixture([], launch_template_id="")
    for number in (1, 2, 3, 4):
        fixture.hosts.acquire(fixture.claimed(number))
    asked = [request.pools[0].subnet_id for request in fixture.instances.requests]
    assert sorted(asked) == ["subnet-a"] * 2 + ["subnet-b"] * 2


def test_without_a_template_a_zone_that_has_no_such_machine_is_passed_over_and_rests() -> None:
    fixture = Fixture([], launch_template_id="")
    fixture.instances.refusals[Pool("t3.medium", "subnet-a")] = "InsufficientInstanceCapacity"
    for number in (1, 2, 3):
        fixture.hosts.acquire(fixture.claimed(number))
    asked = [request.pools[0].subnet_id for request in fixture.instances.requests]
    assert sorted(asked) == ["subnet-a", "subnet-b", "subnet-b", "subnet-b"]
    tokens = {request.client_token for request in fixture.instances.requests}
    assert len(tokens) == 4  # EC2 ties a token to its parameters


def test_with_a_template_all_zones_are_asked_in_one_call() -> None:
    fixture = Fixture([])
    fixture.instances.refusals[Pool("t3.medium", "subnet-a")] = "InsufficientInstanceCapacity"
    fixture.hosts.acquire(fixture.claimed())
    (request,) = fixture.instances.requests
    assert {pool.subnet_id for pool in request.pools} == {"subnet-a", "subnet-b"}
    fixture.hosts.acquire(fixture.claimed(8))
    assert [pool.subnet_id for pool in fixture.instances.requests[1].pools] == ["subnet-b"]  # the other one rests


def no_machine_anywhere(fixture: Fixture, code: str = "InsufficientInstanceCapacity") -> None:
    for subnet in ("subnet-a", "subnet-b"):
        fixture.instances.refusals[Pool("t3.medium", subnet)] = code


def test_without_a_machine_anywhere_ec2_is_asked_once_for_each_wait_which_grows() -> None:
    fixture = Fixture([])
    no_machine_anywhere(fixture)
    waits = []
    for number in range(6):
        with pytest.raises(CapacityMissing, match=r"no t3\.medium free.*asked again in") as caught:
            fixture.hosts.acquire(fixture.claimed(number))
        waits.append(caught.value.retry_after_s)
        with pytest.raises(CapacityMissing):  # who comes too early asks nobody
            fixture.hosts.acquire(fixture.claimed(number + 100))
        assert len(fixture.instances.requests) == number + 1
        fixture.clock.sleep(caught.value.retry_after_s)
    assert waits == [15, 30, 60, 120, 240, 300]
    fixture.instances.refusals.clear()
    fixture.hosts.acquire(fixture.claimed())


def test_what_no_zone_will_ever_have_is_no_matter_of_waiting() -> None:
    fixture = Fixture([])
    no_machine_anywhere(fixture, "Unsupported")
    with pytest.raises(CloudError) as caught:
        fixture.hosts.acquire(fixture.claimed())
    assert caught.value.code == "Unsupported"
    assert not isinstance(caught.value, CapacityMissing)


def test_a_refusal_that_has_nothing_to_do_with_pools_is_asked_once() -> None:
    fixture = Fixture([])
    no_machine_anywhere(fixture, "UnauthorizedOperation")
    with pytest.raises(CloudError) as caught:
        fixture.hosts.acquire(fixture.claimed())
    assert (caught.value.code, len(fixture.instances.requests)) == ("UnauthorizedOperation", 1)


def test_a_quota_lowers_the_limit_to_what_was_reached_and_it_is_raised_slowly() -> None:
    fixture = Fixture([])
    assert fixture.hosts.limit() is None
    fixture.instances.capacity = 2
    for number in (1, 2):
        fixture.hosts.acquire(fixture.claimed(number))
    with pytest.raises(QuotaReached, match="quota is reached with 2 hosts") as caught:
        fixture.hosts.acquire(fixture.claimed(3))
    assert caught.value.reached == fixture.hosts.limit() == 2
    fixture.clock.sleep(601)
    assert fixture.hosts.limit() == 3


@pytest.mark.parametrize(("on_demand", "spot"), [(True, False), (False, True)])
def test_a_run_that_must_not_be_lost_again_gets_no_spot_instance(on_demand: bool, spot: bool) -> None:
    fixture = Fixture([], spot=True)
    fixture.hosts.acquire(fixture.claimed(on_demand=on_demand))
    assert fixture.instances.requests[0].spot is spot


def test_runs_of_a_broken_off_launch_each_take_up_their_own_instance_and_no_other_stays() -> None:
    kept = KeptLaunches()
    fixture = Fixture([], launches=kept)
    first, second, over = (fixture.claimed(number) for number in (1, 2, 3))
    request = launch_request(
        [first, second, over], fixture.settings, HostKey("P", "ssh-ed25519 OLD"),
        image_id="ami-0", pools=fixture.settings.pools, spot=False, now=fixture.clock(),
    )  # fmt: skip
    kept.intend(
        [one.work for one in (first, second, over)], Launch(request, "ssh-ed25519 OLD", (1, 2, 3), fixture.clock())
    )
    fixture.instances.launch(request)  # and whoever asked is killed
    kept.over.add(3)
    hosts = [fixture.hosts.acquire(one).host for one in (first, second)]
    assert [host.host_id[-1] for host in hosts] == ["1", "2"]
    assert {host.host_key for host in hosts} == {"ssh-ed25519 OLD"}
    assert fixture.states() == ["running", "running", "terminated"]
    assert fixture.instances.requests == [request, request]


def test_a_launch_without_an_answer_is_asked_again_word_for_word() -> None:
    fixture = Fixture([])
    launch, answers = fixture.instances.launch, [CloudError("timed out", is_uncertain=True)] * 2

    def unheard(request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        answer = launch(request, again=again)
        if answers:
            raise answers.pop()
        return answer

    fixture.instances.launch = unheard  # type: ignore[method-assign]
    fixture.hosts.acquire(fixture.claimed())
    assert len(fixture.instances.requests) == 3
    assert len(set(map(repr, fixture.instances.requests))) == 1
    assert fixture.states() == ["running"]


def test_an_instance_that_ec2_does_not_list_yet_is_waited_for_and_launched_once() -> None:
    fixture = Fixture([])
    shown = fixture.instances.instances
    visible_at = fixture.clock() + timedelta(seconds=20)

    def not_yet(tags: Mapping[str, str]) -> list[Instance]:
        return shown(tags) if fixture.clock() >= visible_at else []

    fixture.instances.instances = not_yet  # type: ignore[method-assign]
    provisioned = fixture.hosts.acquire(fixture.claimed())
    assert fixture.clock() >= visible_at
    assert len(fixture.instances.requests) == 1
    assert not fixture.hosts.is_gone(provisioned)


def test_a_host_that_ec2_took_back_is_told_apart() -> None:
    fixture = Fixture([], spot=True)
    provisioned = fixture.hosts.acquire(fixture.claimed())
    (instance,) = fixture.instances.instances({})
    fixture.instances.put(replace(instance, state="terminated", reason_code="Server.SpotInstanceTermination"))
    with pytest.raises(SpotReclaimed):
        fixture.hosts.is_gone(provisioned)


def test_a_host_that_stays_up_though_ec2_agreed_to_end_it_is_told_again_and_then_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fixture = Fixture([])
    provisioned = fixture.hosts.acquire(fixture.claimed())
    told: list[Sequence[str]] = []
    monkeypatch.setattr(fixture.instances, "terminate", told.append)
    with pytest.raises(CloudError, match=r"agreed to end .* and still shows it up"):
        fixture.hosts.release(provisioned)
    assert len(told) > 5
    monkeypatch.undo()
    fixture.hosts.release(provisioned)
    assert fixture.states() == ["terminated"]


def test_every_host_carries_the_tags_that_find_it_again() -> None:
    fixture = Fixture([None])
    fixture.hosts.acquire(fixture.claimed())
    tags = fixture.instances.requests[0].tags
    assert {"rampart:stack", "rampart:event", "rampart:launch", "rampart:expires-at"} <= tags.keys()


def test_releasing_a_host_ends_it_and_may_be_done_twice() -> None:
    fixture = Fixture([None])
    provisioned = fixture.hosts.acquire(fixture.claimed())
    assert not fixture.hosts.is_gone(provisioned)
    fixture.hosts.release(provisioned)
    fixture.hosts.release(provisioned)
    assert fixture.hosts.is_gone(provisioned)


def test_a_host_that_was_up_before_is_never_ended_by_whoever_adopts_its_run() -> None:
    fixture = Fixture([None])
    provisioned = replace(fixture.hosts.acquire(fixture.claimed()), is_standing=True)
    fixture.hosts.release(provisioned)
    assert fixture.states() == ["running"]


def test_a_host_is_launched_from_the_image_of_the_moment_and_its_run_knows_which() -> None:
    fixture = Fixture([])
    first = fixture.hosts.acquire(fixture.claimed(1))
    fixture.image_id = "ami-2"
    second = fixture.hosts.acquire(fixture.claimed(2))
    assert (first.image_id, second.image_id) == ("ami-1", "ami-2")


def test_a_launch_that_is_asked_again_keeps_its_image_and_the_run_knows_it() -> None:
    kept = KeptLaunches()
    fixture = Fixture([], launches=kept)
    claimed = fixture.claimed(1)
    request = launch_request(
        [claimed], fixture.settings, HostKey("P", "ssh-ed25519 OLD"),
        image_id="ami-old", pools=fixture.settings.pools, spot=False, now=fixture.clock(),
    )  # fmt: skip
    kept.intend([claimed.work], Launch(request, "ssh-ed25519 OLD", (1,), fixture.clock()))
    assert fixture.hosts.acquire(claimed).image_id == "ami-old"
    assert fixture.instances.requests == [request]


def test_no_image_to_launch_from_reaches_every_run_that_asked_and_launches_nothing() -> None:
    def none_left() -> str:
        raise ImageNotFound("no verified image")

    fixture = Fixture([], image=none_left)
    with pytest.raises(ImageNotFound):
        fixture.hosts.acquire(fixture.claimed())
    assert fixture.instances.requests == []
