"""Every machine of the cluster gets its certificate once, over a host whose key is known beforehand."""

from __future__ import annotations

import logging

import pytest

from contracts.dask_machines import DaskRole
from contracts.errors import AskedWrongly, CloudError, HostKeyRefused, HostUnreachable
from runner.dask.certifying import Certifier
from runner.dask.machines import FLEET_TAG
from tests.unit.runner.dask.cluster_doubles import OUTPUTS, SCHEDULER, Account, Clock, Machine, Office, instance

Logged = pytest.LogCaptureFixture


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def certifier(account: Account, office: Office, clock: Clock) -> Certifier:
    return Certifier(account.found(), office, addresses=account.addresses(), connect=account.connect, clock=clock)


def test_scheduler_and_workers_get_what_their_role_shows(certifier: Certifier, account: Account) -> None:
    account.fleet.resize(2, on_demand=0)
    one, other = account.workers()

    assert certifier.look() == 3

    assert account.machine(SCHEDULER).files == {
        "ca.pem": "authority 1", "scheduler.pem": "scheduler i-scheduler 1", "scheduler-key.pem": "key of i-scheduler",
    }  # fmt: skip
    for name in (one, other):
        assert account.machine(name).files == {
            "ca.pem": "authority 1", "worker.pem": f"worker {name} 1", "worker-key.pem": f"key of {name}",
        }  # fmt: skip
    assert sum(machine.restarts for machine in account.machines.values()) == 0


def test_a_private_key_is_no_argument_of_any_command(certifier: Certifier, account: Account) -> None:
    certifier.look()
    assert account.machine(SCHEDULER).files
    assert not [word for host in account.hosts for argv in host.calls for word in argv if "key of" in word]


def test_a_machine_is_reached_with_the_key_on_its_console_read_once(
    certifier: Certifier, account: Account, office: Office
) -> None:
    certifier.look()
    office.edition = 2
    certifier.look()
    assert [host.host_key for host in account.dialled] == ["ssh-ed25519 i-scheduler"] * 2
    assert account.consoles == [SCHEDULER]


def test_one_that_shows_no_key_is_not_connected_to_and_waited_for(
    certifier: Certifier, account: Account, clock: Clock, caplog: Logged
) -> None:
    account.silent.add(SCHEDULER)
    for clock.at in range(0, 120, 5):
        assert certifier.look() == 0
        if clock.at < 30:
            assert caplog.records == []  # it may just boot
    assert account.dialled == []
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "the Dask scheduler i-scheduler shows no host key on its console: it is not used"
    ]
    account.silent.clear()
    clock.at = 300
    assert certifier.look() == 1


def test_who_shows_a_current_certificate_is_left_alone(certifier: Certifier, account: Account, office: Office) -> None:
    certifier.look()
    anew = Certifier(account.found(), office, addresses=account.addresses(), connect=account.connect)
    before = account.machine(SCHEDULER).files

    assert anew.look() == 1

    assert account.machine(SCHEDULER).files is before
    dialled = len(account.dialled)
    assert anew.look() == 1
    assert len(account.dialled) == dialled


def test_after_a_rotation_every_machine_gets_new_files_and_starts_dask_anew(
    certifier: Certifier, account: Account, office: Office
) -> None:
    account.fleet.resize(1, on_demand=0)
    certifier.look()
    office.edition = 2

    assert certifier.look() == 2

    assert [machine.restarts for machine in account.machines.values()] == [1, 1]
    assert (account.machine(SCHEDULER).files or {})["scheduler.pem"] == "scheduler i-scheduler 2"


def test_a_certificate_of_a_newer_authority_is_not_replaced(certifier: Certifier, account: Account) -> None:
    shown = {"ca.pem": "authority 2", "scheduler.pem": "scheduler i-scheduler 2", "scheduler-key.pem": "key"}
    account.machines[SCHEDULER] = Machine(files=dict(shown))
    with pytest.raises(AskedWrongly, match="a newer authority") as caught:
        certifier.ensure(account.found().scheduler())
    assert "dask-tls" in caught.value.hint
    assert account.machine(SCHEDULER).files == shown


def test_a_machine_that_still_boots_is_tried_again_later_each_time_and_told_once(
    certifier: Certifier, account: Account, clock: Clock, caplog: Logged
) -> None:
    account.machines[SCHEDULER] = machine = Machine(files=None)
    tries = []
    for clock.at in range(61):
        before = len(account.dialled)
        certifier.look()
        if len(account.dialled) > before:
            tries.append(clock.at)
    assert tries == [0, 2, 6, 14, 30]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    machine.files = {}
    clock.at = 62
    assert certifier.look() == 1


def test_one_machine_in_trouble_keeps_no_other_from_its_certificate(
    certifier: Certifier, account: Account, clock: Clock, caplog: Logged
) -> None:
    account.fleet.resize(1, on_demand=0)
    account.machine(SCHEDULER).exit_code = 1
    for clock.at in range(60):
        assert certifier.look() == 1
    assert "a password is required" in caplog.text
    assert "may ubuntu use sudo there" in caplog.text


def test_one_machine_is_certified_or_it_is_told_why_not(certifier: Certifier, account: Account) -> None:
    scheduler = account.found().scheduler()
    account.outage = "nobody answers"
    with pytest.raises(HostUnreachable, match="nobody answers"):
        certifier.ensure(scheduler)
    account.outage = ""
    certifier.ensure(scheduler)
    certifier.ensure(scheduler)
    assert len(account.dialled) == 2


def test_what_is_no_machine_of_the_cluster_is_not_touched(certifier: Certifier, account: Account) -> None:
    account.instances.put(instance("i-host"))
    account.instances.put(instance("i-other-fleet", tags={FLEET_TAG: "fleet-2"}))
    account.instances.put(instance("i-booting", state="pending", tags={FLEET_TAG: "fleet-1"}))
    certifier.look()
    assert {host.host_id for host in account.dialled} == {SCHEDULER}


def test_a_stack_without_a_fleet_has_no_workers(account: Account) -> None:
    outputs = OUTPUTS.model_copy(update={"dask_worker_fleet_id": ""})
    assert [each.role for each in account.found(outputs)()] == [DaskRole.SCHEDULER]


def test_an_account_that_does_not_answer_is_told_once(
    certifier: Certifier, account: Account, caplog: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise CloudError("could not list instances")

    monkeypatch.setattr(account.instances, "instances", refuse)
    assert certifier.look() == certifier.look() == 0
    assert [record.getMessage() for record in caplog.records] == ["could not list instances"]


def test_a_machine_whose_key_is_refused_is_told_at_once(
    certifier: Certifier, account: Account, caplog: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise HostKeyRefused("another key")

    monkeypatch.setattr(certifier, "_connect", refuse)
    certifier.look()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(logging.CRITICAL, "another key")]
