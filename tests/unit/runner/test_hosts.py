"""An EC2 host is launched with its own key, waited for, and terminated whatever happens."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from clients.memory_instances import MemoryInstances
from contracts.errors import BootTimeout, CloudError, HostGone, HostKeyRefused, HostUnreachable
from contracts.instance import Instance, Launch, LaunchRequest
from contracts.remote import CommandResult
from contracts.work import Claimed, HostAddress, Work
from runner.host_boot import render_user_data
from runner.hosts import Ec2Hosts, HostKey, LaunchSettings
from runner.interruption import Interrupted, Interruption
from runner.ports import Launches

LAYOUT = {"kit_dir": "/k", "data_dir": "/k", "python": "/e/bin/python", "ramp_test": "/e/bin/ramp-test"}


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Sleeper(Interruption):
    """Sleeping moves the clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def sleep(self, seconds: float) -> None:
        super().sleep(0)
        self._clock.now += timedelta(seconds=seconds)


class LayoutOnly:
    """A host that knows its layout file."""

    closed = False

    def run(self, argv: object, **_: object) -> CommandResult:
        return CommandResult(0, (json.dumps(LAYOUT) + "\n/home/ubuntu").encode(), b"")

    def close(self) -> None:
        self.closed = True


class FullZones(MemoryInstances):
    """EC2 that refuses to launch into some subnets."""

    def __init__(self, clock: Clock, refusals: dict[str, str]) -> None:
        super().__init__(clock)
        self._refusals = refusals
        self.asked: list[LaunchRequest] = []

    def launch(self, request: LaunchRequest) -> Instance:
        self.asked.append(request)
        code = self._refusals.get(request.subnet_id)
        if code is not None:
            raise CloudError(f"could not launch an instance [{code}]", code=code)
        return super().launch(request)


class Fixture:
    def __init__(
        self,
        answers: list[Exception | None],
        *,
        launches: Launches | None = None,
        host_key: str = "ssh-ed25519 AAAA",
        instances: MemoryInstances | None = None,
    ) -> None:
        self.clock = Clock()
        self.instances = instances or MemoryInstances(self.clock)
        self.dialled: list[HostAddress] = []
        self.interruption = Sleeper(self.clock)
        self._answers = answers
        self.hosts = Ec2Hosts(
            LaunchSettings(
                stack="iris", event="iris", problem="iris", image_id="ami-1", instance_type="t3.medium", user="ubuntu",
                key_path=Path("/keys/id"), launch_template_id="lt-1", key_name="iris", security_group_id="sg-1",
                subnet_ids=("subnet-a", "subnet-b"), boot_timeout_s=30,
            ),
            self.instances,
            connect=self._connect,  # type: ignore[arg-type]
            new_host_key=lambda: HostKey("PRIVATE", host_key),
            now=self.clock,
            launches=launches,
            interruption=self.interruption,
        )  # fmt: skip

    def _connect(self, host: HostAddress) -> LayoutOnly:
        self.dialled.append(host)
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            raise answer
        return LayoutOnly()

    def claimed(self, submission_id: int = 7) -> Claimed:
        here = Path("/nowhere")
        return Claimed(Work(submission_id, "iris", "team", "s", 1, here, here, here, 60.0), self.clock())

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


def test_a_host_powers_itself_off_after_boot_run_and_margin() -> None:
    fixture = Fixture([None])
    fixture.hosts.acquire(fixture.claimed())
    (command,) = yaml.safe_load(fixture.instances.requests[0].user_data)["runcmd"]
    assert command == ["shutdown", "-h", "+16"]  # 30 s boot, 60 s run, 900 s margin
    assert fixture.instances.requests[0].tags["rampart:expires-at"] == "2026-11-20T12:16:30+00:00"


class KeptLaunches:
    """The record of launches, as it outlives a dispatcher."""

    def __init__(self) -> None:
        self.kept: dict[int, Launch] = {}

    def intend(self, work: Work, launch: Launch) -> Launch:
        return self.kept.setdefault(work.submission_id, launch)

    def answered(self, client_token: str, instance_id: str) -> None:
        for run, launch in list(self.kept.items()):
            if launch.request.client_token == client_token and instance_id:
                self.kept[run] = replace(launch, instance_id=instance_id)
            elif launch.request.client_token == client_token:
                del self.kept[run]


class Killed(BaseException):
    """The dispatcher is killed."""


def test_a_launch_whose_answer_never_came_is_asked_for_again_with_the_same_token_and_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = KeptLaunches()
    first = Fixture([], launches=kept, host_key="ssh-ed25519 FIRST")
    claimed, launch = first.claimed(), first.instances.launch

    def launch_and_die(request: LaunchRequest) -> Instance:
        launch(request)
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


def test_a_launch_is_found_again_whichever_subnets_turn_it_is() -> None:
    kept, clock = KeptLaunches(), Clock()
    instances = FullZones(clock, {"subnet-b": "InsufficientInstanceCapacity"})
    fixture = Fixture([], launches=kept, instances=instances)
    claimed = fixture.claimed()
    first = fixture.hosts.acquire(claimed)
    for _ in range(2):
        assert fixture.hosts.acquire(claimed) == first
    assert [request.subnet_id for request in instances.asked] == ["subnet-b", "subnet-a"]


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
    text = render_user_data(host_key_private="PRIVATE", host_key_public="PUBLIC", lifetime_s=60, user=user)
    assert yaml.safe_load(text)["disable_root"] is shut_out


def test_a_host_with_another_key_is_terminated_at_once() -> None:
    fixture = Fixture([HostKeyRefused("another key")])
    with pytest.raises(HostKeyRefused):
        fixture.hosts.acquire(fixture.claimed())
    assert len(fixture.dialled) == 1
    assert fixture.states() == ["terminated"]


def test_a_host_that_ends_while_booting_is_gone() -> None:
    fixture = Fixture([HostUnreachable("refused")])
    instances = fixture.instances
    fixture.interruption.on_ask(lambda: None)
    dial = fixture._connect

    def end_it(host: HostAddress) -> LayoutOnly:
        instances.terminate([host.host_id])
        return dial(host)

    fixture.hosts._connect = end_it  # type: ignore[assignment]
    with pytest.raises(HostGone):
        fixture.hosts.acquire(fixture.claimed())


def test_an_interruption_while_booting_terminates_the_host() -> None:
    fixture = Fixture([HostUnreachable("refused")] * 5)
    fixture.interruption.ask()
    with pytest.raises(Interrupted):
        fixture.hosts.acquire(fixture.claimed())
    assert fixture.states() == ["terminated"]


def test_hosts_are_spread_over_the_subnets() -> None:
    fixture = Fixture([])
    for number in (1, 2, 3, 4):
        fixture.hosts.acquire(fixture.claimed(number))
    assert sorted(request.subnet_id for request in fixture.instances.requests) == ["subnet-a"] * 2 + ["subnet-b"] * 2


def test_a_zone_that_has_no_such_machine_is_passed_over() -> None:
    fixture = Fixture([None])
    for refused in ("subnet-a", "subnet-b"):
        full = FullZones(fixture.clock, {refused: "InsufficientInstanceCapacity"})
        fixture.hosts._instances = full
        for number in (1, 2):
            fixture.hosts.acquire(fixture.claimed(number))
        assert {request.subnet_id for request in full.requests} == {"subnet-a", "subnet-b"} - {refused}
        assert len({request.client_token for request in full.asked}) == 3  # EC2 ties a token to its parameters


@pytest.mark.parametrize(("code", "asked"), [("Unsupported", 2), ("UnauthorizedOperation", 1)])
def test_only_what_another_zone_may_change_is_asked_again(code: str, asked: int) -> None:
    fixture = Fixture([])
    full = FullZones(fixture.clock, {"subnet-a": code, "subnet-b": code})
    fixture.hosts._instances = full
    with pytest.raises(CloudError) as caught:
        fixture.hosts.acquire(fixture.claimed())
    assert (caught.value.code, len(full.asked)) == (code, asked)


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
