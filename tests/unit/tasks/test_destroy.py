"""A stack is not destroyed under what still uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from invoke.context import Context

from contracts.errors import StoreUnavailable, UnknownName
from contracts.instance import Instance
from tasks import provisioning, under_way

NOW = datetime(2025, 3, 4, tzinfo=UTC)
Printed = pytest.CaptureFixture[str]


def host(instance_id: str, state: str = "running") -> Instance:
    return Instance(instance_id, state, "", "ami-1", "t3.medium", NOW)


def run(name: str, *, ended: bool = False) -> Any:
    return SimpleNamespace(team="blue", submission=name, started_at=NOW, ended_at=NOW if ended else None)


@dataclass
class Account:
    """What is under way, and what was done about it, in order."""

    runs: list[Any] = field(default_factory=list)
    hosts: list[Instance] = field(default_factory=list)
    database: Exception | None = None
    done: list[str] = field(default_factory=list)
    looks: int = 0

    def submissions(self, event: str) -> list[Any]:
        if self.database is not None:
            raise self.database
        return self.runs

    def terminate(self, instance_ids: list[str]) -> None:
        self.done.append(f"terminate {' '.join(instance_ids)}")

    def instance(self, instance_id: str) -> Instance | None:
        self.looks += 1
        return None if self.looks > 2 else host(instance_id, "shutting-down" if self.looks == 1 else "terminated")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    account = Account()
    event = SimpleNamespace(name="iris", region="eu-west-3", worker=SimpleNamespace(worker_type="aws"))
    monkeypatch.setattr("tasks.events.open_event", lambda *_, **__: event)
    monkeypatch.setattr("runner.app.open_catalogue", lambda _: account)
    monkeypatch.setattr("tasks.hosts.live", lambda _: account.hosts)
    monkeypatch.setattr("clients.aws.session.session_for", lambda _: None)
    monkeypatch.setattr("clients.aws.ec2.Ec2", lambda _: account)
    monkeypatch.setattr("tasks.stack.destroy", lambda *_, **__: account.done.append("destroy"))
    monkeypatch.setattr(under_way, "_LOOK_AGAIN_S", 0)
    return account


def destroy(**options: Any) -> None:
    provisioning.destroy(Context(), yes=True, **options)


def refused() -> None:
    with pytest.raises(SystemExit) as ended:
        destroy()
    assert ended.value.code == 2


def test_where_nothing_is_under_way_the_stack_is_destroyed(account: Account) -> None:
    account.runs = [run("old", ended=True)]

    destroy()

    assert account.done == ["destroy"]


def test_runs_and_hosts_under_way_are_told_and_nothing_is_touched(account: Account, capsys: Printed) -> None:
    account.runs, account.hosts = [run("forest"), run("old", ended=True)], [host("i-1"), host("i-2")]

    refused()

    told = capsys.readouterr().err
    assert "runs blue/forest and hosts i-1, i-2" in told
    assert "--force" in told
    assert account.done == []


def test_a_run_without_a_host_is_reason_enough(account: Account) -> None:
    account.runs = [run("forest")]

    refused()

    assert account.done == []


def test_forced_it_says_what_it_breaks_off_and_ends_the_hosts_before_the_stack(
    account: Account, capsys: Printed
) -> None:
    account.runs, account.hosts = [run("forest")], [host("i-1")]

    destroy(force=True)

    assert account.done == ["terminate i-1", "destroy"]
    told = capsys.readouterr().err
    assert "broken off with the stack are runs blue/forest and hosts i-1" in told
    assert "ended: i-1" in told
    assert account.looks == 2


def test_hosts_that_do_not_end_keep_the_stack(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    account.hosts = [host("i-1")]
    monkeypatch.setattr(under_way, "_LONGEST_S", -1)

    with pytest.raises(SystemExit, match="1"):
        destroy(force=True)

    assert account.done == ["terminate i-1"]
    assert "EC2 has not ended i-1 yet" in capsys.readouterr().err


def test_a_database_that_does_not_know_the_event_has_no_runs_of_it(account: Account) -> None:
    account.database = UnknownName("no event")

    destroy()

    assert account.done == ["destroy"]


def test_without_its_database_it_is_destroyed_by_force_alone(account: Account, capsys: Printed) -> None:
    account.database = StoreUnavailable("the database does not answer")

    with pytest.raises(SystemExit, match="1"):
        destroy()
    assert account.done == []

    destroy(force=True)
    assert account.done == ["destroy"]
    assert "whether runs are under way is not known" in capsys.readouterr().err


def test_who_does_not_say_yes_destroys_nothing(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.console.confirmed", lambda _: False)

    with pytest.raises(SystemExit, match="2"):
        provisioning.destroy(Context(), force=True)

    assert account.done == []
