"""What the machines of a Dask cluster boot with."""

from __future__ import annotations

import base64
import configparser
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from contracts import dask_boot, host_boot
from contracts.dask_machines import certificates
from contracts.errors import AskedWrongly

PREFIX = "/opt/rampart/env"
SCHEDULER = dask_boot.dask_scheduler(user="ubuntu", lifetime_s=3600, prefix=PREFIX)
WORKER = dask_boot.dask_worker(user="ubuntu", lifetime_s=3600, prefix=PREFIX, scheduler="10.20.0.10", n_threads=2)
ROLES = [("scheduler", SCHEDULER), ("worker", WORKER)]
IN_THE_CLEAR = [
    ("scheduler", dask_boot.dask_scheduler(user="ubuntu", lifetime_s=3600, prefix=PREFIX, insecure=True)),
    (
        "worker",
        dask_boot.dask_worker(
            user="ubuntu", lifetime_s=3600, prefix=PREFIX, scheduler="10.20.0.10", insecure=True, n_threads=2
        ),
    ),
]


def _config(text: str) -> dict[str, Any]:
    assert text.startswith("#cloud-config\n")
    config: dict[str, Any] = yaml.safe_load(text)
    return config


def _files(text: str) -> dict[str, str]:
    return {each["path"]: each["content"] for each in _config(text)["write_files"]}


def _unit(text: str, name: str) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[method-assign,assignment]
    unit.read_string(_files(text)[f"/etc/systemd/system/{name}"])
    return unit


def _command(role: str, text: str) -> list[str]:
    *before, last = _files(text)[f"/usr/local/lib/rampart/dask-{role}"].splitlines()
    assert before == ["#!/bin/sh", "set -eu", "address=$(hostname -I | cut -d ' ' -f 1)"]
    return shlex.split(last)


@pytest.mark.parametrize(("role", "text"), ROLES)
def test_the_deadline_is_set_before_anything_else(role: str, text: str) -> None:
    commands = _config(text)["runcmd"]

    assert commands[0] == ["shutdown", "-h", "+60"]
    assert commands[-1] == ["systemctl", "enable", "--now", f"rampart-dask-{role}.path"]


@pytest.mark.parametrize("text", [SCHEDULER, WORKER])
def test_a_machine_makes_its_own_host_key_and_no_secret_is_in_its_user_data(text: str) -> None:
    assert "ssh_keys" not in _config(text)
    assert "-----BEGIN" not in text


@pytest.mark.parametrize(("role", "text"), ROLES)
def test_dask_waits_for_the_last_of_its_certificates(role: str, text: str) -> None:
    unit = _unit(text, f"rampart-dask-{role}.path")

    assert unit["Path"]["PathExists"] == certificates(role)[-1] == f"/etc/rampart/dask/{role}-key.pem"
    # started by nothing else
    assert "Install" not in _unit(text, f"rampart-dask-{role}.service")


@pytest.mark.parametrize(("role", "text"), ROLES)
def test_dask_runs_under_an_account_of_its_own_that_alone_reads_the_certificates(role: str, text: str) -> None:
    service = _unit(text, f"rampart-dask-{role}.service")["Service"]
    commands = _config(text)["runcmd"]

    assert (service["User"], service["Group"]) == ("rampart-dask", "rampart-dask")
    assert [word for word in commands[1] if word in ("useradd", "--system", "/usr/sbin/nologin", "rampart-dask")] == [
        "useradd",
        "--system",
        "/usr/sbin/nologin",
        "rampart-dask",
    ]
    folder = ["install", "-d", "-o", "root", "-g", "rampart-dask", "-m", "2750", "/etc/rampart/dask"]
    assert folder in commands


def test_the_scheduler_listens_on_its_own_address_with_tls_and_shows_its_pages_there() -> None:
    assert _command("scheduler", SCHEDULER) == [
        *("exec", "/opt/rampart/env/bin/dask", "scheduler", "--protocol", "tls", "--port", "8786"),
        *("--tls-ca-file", "/etc/rampart/dask/ca.pem"),
        *("--tls-cert", "/etc/rampart/dask/scheduler.pem", "--tls-key", "/etc/rampart/dask/scheduler-key.pem"),
        *("--host", "$address", "--dashboard-address", "$address:8787"),
    ]


def test_the_scheduler_gives_up_all_rights_and_tries_no_run_again() -> None:
    service = _unit(SCHEDULER, "rampart-dask-scheduler.service")["Service"]

    limits = ("NoNewPrivileges", "PrivateTmp", "ProtectSystem", "ProtectHome")
    assert [service[limit] for limit in limits] == ["yes", "yes", "strict", "read-only"]
    assert "KillMode" not in service
    assert "sudoers" not in SCHEDULER
    text = _files(SCHEDULER)["/etc/systemd/system/rampart-dask-scheduler.service"]
    assert "\nEnvironment=DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0\n" in text


def test_what_a_worker_starts_may_become_root_as_over_ssh() -> None:
    service = _unit(WORKER, "rampart-dask-worker.service")["Service"]

    # a job's supervisor would inherit any of them
    assert not {"NoNewPrivileges", "PrivateTmp", "ProtectSystem", "ProtectHome"} & set(service)
    staged = "/usr/local/lib/rampart/dask-sudoers"
    assert _files(WORKER)[staged].splitlines()[-1] == "rampart-dask ALL=(ALL) NOPASSWD: ALL"
    into_place = [*("install", "-D", "-o", "root", "-g", "root", "-m", "0440"), staged, "/etc/sudoers.d/rampart-dask"]
    assert into_place in _config(WORKER)["runcmd"]


def test_a_job_goes_on_when_its_worker_is_restarted() -> None:
    assert _unit(WORKER, "rampart-dask-worker.service")["Service"]["KillMode"] == "process"


@pytest.mark.parametrize(("role", "text"), [*ROLES, *IN_THE_CLEAR])
def test_jobs_lie_in_the_accounts_home(role: str, text: str) -> None:
    service = _files(text)[f"/etc/systemd/system/rampart-dask-{role}.service"]

    assert "\nEnvironment=HOME=/var/lib/rampart-dask\n" in service


@pytest.mark.parametrize(("role", "text"), IN_THE_CLEAR)
def test_without_tls_dask_waits_for_nothing_and_shows_nothing(role: str, text: str) -> None:
    unit = f"rampart-dask-{role}.service"

    assert _config(text)["runcmd"][-1] == ["systemctl", "enable", "--now", unit]
    assert _unit(text, unit)["Install"]["WantedBy"] == "multi-user.target"
    assert not [path for path in _files(text) if path.endswith(".path")]
    assert not [word for word in ("tls", "/etc/rampart/dask", "ENCRYPTION") if word in text]


def test_without_tls_a_worker_looks_for_a_scheduler_without() -> None:
    (_, scheduler), (_, worker) = IN_THE_CLEAR

    assert _command("scheduler", scheduler)[2:5] == ["scheduler", "--protocol", "tcp"]
    assert _command("worker", worker)[3] == "tcp://10.20.0.10:8786"


def test_a_worker_takes_one_submission_at_a_time_and_listens_where_its_group_lets_in() -> None:
    command = _command("worker", WORKER)

    assert command[:4] == ["exec", "/opt/rampart/env/bin/dask", "worker", "tls://10.20.0.10:8786"]
    options = dict(zip(command[4::2], command[5::2], strict=False))
    assert (options["--worker-port"], options["--nanny-port"]) == ("8788", "8789")
    assert (options["--nworkers"], options["--nthreads"], options["--resources"]) == ("1", "1", "SUBMISSION=1")
    assert (options["--memory-limit"], "--no-dashboard" in command) == ("0", True)
    # the same name whenever it comes back
    assert command[-4:] == ["--host", "$address", "--name", "$address"]


@pytest.mark.parametrize(("role", "text"), ROLES)
def test_neither_says_anything_without_encryption(role: str, text: str) -> None:
    service = _files(text)[f"/etc/systemd/system/rampart-dask-{role}.service"]
    assert "\nEnvironment=DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION=true\n" in service


def test_a_worker_shows_no_pages() -> None:
    service = _files(WORKER)["/etc/systemd/system/rampart-dask-worker.service"]
    assert "\nEnvironment=DASK_DISTRIBUTED__WORKER__HTTP__ROUTES=[]\n" in service


def test_threads_are_bounded_only_where_the_event_says_so() -> None:
    free = dask_boot.dask_worker(user="ubuntu", lifetime_s=3600, prefix=PREFIX, scheduler="10.20.0.10")

    assert "Environment=OMP_NUM_THREADS=2\n" in _files(WORKER)["/etc/systemd/system/rampart-dask-worker.service"]
    assert "NUM_THREADS" not in free


def test_user_data_fits_ec2_at_its_longest() -> None:
    texts = [
        dask_boot.dask_scheduler(user="u" * 32, lifetime_s=2_592_000, prefix="/" + "p" * 512),
        dask_boot.dask_worker(
            user="u" * 32, lifetime_s=2_592_000, prefix="/" + "p" * 512, scheduler="255.255.255.255", n_threads=1024
        ),
    ]
    for text in texts:
        assert len(text.encode()) < 8192
        assert base64.b64decode(host_boot.encoded(text), validate=True).decode() == text


def test_more_than_ec2_takes_is_refused() -> None:
    host_boot.encoded("x" * 16384)

    with pytest.raises(AskedWrongly, match=r"16385 bytes, but EC2 takes 16384 at most"):
        host_boot.encoded("x" * 16385)


@pytest.mark.parametrize(("role", "text"), ROLES)
def test_the_program_is_one_that_a_shell_reads(role: str, text: str, tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(_files(text)[f"/usr/local/lib/rampart/dask-{role}"])

    subprocess.run(["sh", "-n", str(program)], check=True)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
@pytest.mark.parametrize(("role", "text"), [*ROLES, *IN_THE_CLEAR])
def test_systemd_finds_nothing_wrong_with_the_units(role: str, text: str, tmp_path: Path) -> None:
    units = []
    for path, content in _files(text).items():
        if path.startswith("/etc/systemd/system/"):
            units.append(tmp_path / Path(path).name)
            units[-1].write_text(content)

    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, units)], capture_output=True, text=True, check=False
    )

    ours = [line for line in verified.stderr.splitlines() if str(tmp_path) in line or f"rampart-dask-{role}" in line]
    assert (verified.returncode, ours) == (0, [])
