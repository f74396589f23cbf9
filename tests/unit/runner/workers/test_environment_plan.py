"""The commands that make an environment are RAMP's, or a virtual environment's."""

from __future__ import annotations

from pathlib import Path

from runner.workers.environment_file import EnvironmentFile
from runner.workers.environment_plan import Plan, conda_plan, venv_plan

KIT = Path("/kits/iris")
FILE = EnvironmentFile(
    KIT / "environment.yml", "3.12", ("ramp-workflow==0.7.0", "-r extra.txt"), ("numpy=2",), ("prefix",)
)
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install")


def test_a_conda_environment_is_made_by_ramps_two_commands() -> None:
    assert conda_plan(FILE, "ramp-iris", is_new=True) == Plan(
        KIT,
        (
            ("conda", "create", "--name", "ramp-iris", "--yes"),
            ("conda", "env", "update", "--name", "ramp-iris", "--file", "/kits/iris/environment.yml"),
        ),
    )


def test_an_update_to_the_newest_versions_is_ramps_too() -> None:
    plan = conda_plan(FILE, "ramp-iris", is_new=False, newest=True, pip=Path("/envs/ramp-iris/bin/pip"))
    assert plan.commands == (
        ("conda", "env", "update", "--name", "ramp-iris", "--file", "/kits/iris/environment.yml"),
        ("conda", "update", "--name", "ramp-iris", "--all", "--yes"),
        ("/envs/ramp-iris/bin/pip", "install", "--upgrade", "ramp-workflow==0.7.0", "-r", "extra.txt"),
    )


def test_a_virtual_environment_is_given_the_pip_part_and_the_rest_is_named() -> None:
    assert venv_plan(FILE, Path("/envs/iris"), "/usr/bin/python3.12", is_new=True) == Plan(
        KIT,
        (
            ("/usr/bin/python3.12", "-m", "venv", "/envs/iris"),
            ("/envs/iris/bin/python", *PIP, "ramp-workflow==0.7.0", "-r", "extra.txt"),
        ),
        left_out=("numpy=2", "prefix:"),
    )


def test_what_runs_submissions_is_added_where_the_kit_leaves_it_out() -> None:
    bare = EnvironmentFile(KIT / "environment.yml", "", ("joblib",), ())
    plan = venv_plan(bare, Path("/envs/iris"), "", is_new=False, newest=True)
    assert plan.commands == (("/envs/iris/bin/python", *PIP, "--upgrade", "joblib", "ramp-workflow"),)
