"""All that is wrong with an event is found at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clients.keys import new_key_file
from contracts.event_file import load_event
from contracts.findings import Finding, Level
from contracts.work import Containment
from runner.job import probing
from runner.job.probing import Probed
from tasks import checkup

EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: kit}}
worker: {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: {timeout}}}
"""


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kit" / "submissions" / "starting_kit").mkdir(parents=True)
    (tmp_path / "kit" / "problem.py").touch()
    (tmp_path / "events" / "iris").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAMPART_"))}
    monkeypatch.setattr(os, "environ", mine)
    monkeypatch.setattr(probing, "strongest_here", lambda: Probed(Containment.NAMESPACES, ()))
    return tmp_path


def check(deployment: Path, *, prefix: str = sys.prefix, timeout: str = "60") -> list[Finding]:
    (deployment / "events" / "iris" / "config.yml").write_text(EVENT.format(prefix=prefix, timeout=timeout))
    return checkup.check("iris", config=None, local=False)


def test_an_event_that_needs_nothing_more_has_findings_of_one_kind_only(deployment: Path) -> None:
    found = check(deployment)
    assert [one.about for one in found if one.about != "disk"] == [
        "event file",
        "database",
        "environment",
        "containment",
    ]
    assert {one.level for one in found if one.about != "disk"} == {Level.OK}
    assert not (deployment / ".rampart").exists()


@pytest.mark.parametrize(("isolation", "level"), [("available", Level.WARNING), ("strict", Level.ERROR)])
def test_weak_walls_are_told_with_what_is_in_the_way_of_stronger_ones(
    deployment: Path, monkeypatch: pytest.MonkeyPatch, isolation: str, level: Level
) -> None:
    probed = Probed(Containment.USER_NAMESPACE, ("namespaces: the login user may not become root",))
    monkeypatch.setattr(probing, "strongest_here", lambda: probed)
    (told,) = [one for one in check(deployment, timeout=f"60, isolation: {isolation}") if one.about == "containment"]
    assert told.level is level
    assert "user-namespace: namespaces: the login user may not become root" in told.message


def test_every_problem_of_the_event_file_is_a_finding_of_its_own(deployment: Path) -> None:
    found = check(deployment, timeout="soon, workers: 2")
    assert len(found) == 2
    assert {(one.level, one.about) for one in found} == {(Level.ERROR, "event file")}


def test_a_missing_environment_hides_nothing_else(deployment: Path) -> None:
    found = check(deployment, prefix=str(deployment / "nowhere"))
    (error,) = [one for one in found if one.level is Level.ERROR]
    assert error.about == "environment"
    assert error.hint
    assert "database" in [one.about for one in found]


def test_a_database_without_ramps_tables_is_told(deployment: Path) -> None:
    (deployment / ".rampart").mkdir()
    (deployment / ".rampart" / "iris.db").touch()
    (told,) = [one for one in check(deployment) if one.about == "database"]
    assert told.level is Level.ERROR
    assert "no RAMP tables" in told.message


@pytest.mark.parametrize(("name", "level"), [("id_ed25519", Level.WARNING), ("iris.pem", Level.OK)])
def test_an_organisers_own_login_key_is_not_for_hosts_that_run_strangers_code(
    name: str, level: Level, deployment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "HOME", str(deployment))
    new_key_file(deployment / ".ssh" / name)
    file = deployment / "events" / "iris" / "config.yml"
    worker = f"{{worker_type: aws, key_path: {deployment}/.ssh/{name}}}"
    file.write_text(f"ramp: {{problem_name: iris, event_name: iris, kit_dir: kit}}\nworker: {worker}\n")
    (found,) = checkup._key_file(load_event(file, environ={}))
    assert found.level is level
