"""A kit's environment file is read as conda takes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import KitInvalid
from runner.workers.environment_file import EnvironmentFile, find_file, read_file

FULL = """
name: iris
channels: [conda-forge]
dependencies:
  - python=3.12
  - pip
  - pip=24.0
  - numpy>=2.4,<2.6
  - conda-forge::scikit-learn=1.9
  - pip:
      - ramp-workflow==0.7.0
      - -r extra.txt
variables: {A: b}
"""


def test_python_pip_and_condas_own_packages_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(FULL)
    assert read_file(path) == EnvironmentFile(
        path,
        python="3.12",
        pip=("ramp-workflow==0.7.0", "-r extra.txt"),
        conda=("numpy>=2.4,<2.6", "conda-forge::scikit-learn=1.9"),
        others=("variables",),
    )


@pytest.mark.parametrize(
    ("entry", "version"),
    [("python", ""), ("python=3.12", "3.12"), ("python==3.11.4", "3.11"), ("python >=3.10,<3.13", "3.10")],
)
def test_the_version_of_python_is_read(tmp_path: Path, entry: str, version: str) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(f"dependencies: ['{entry}', python-dateutil]")
    assert (read_file(path).python, read_file(path).conda) == (version, ("python-dateutil",))


@pytest.mark.parametrize(
    "text", ["", "- a", "dependencies: x", "dependencies: [{pip: x}]", "dependencies: [", "{a: 1}"]
)
def test_what_is_no_environment_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "environment.yml"
    path.write_text(text)
    with pytest.raises(KitInvalid, match=r"environment\.yml"):
        read_file(path)


def test_the_file_for_the_image_is_taken_where_it_is_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(KitInvalid, match=r"no environment\.yml or ami_environment\.yml"):
        find_file(tmp_path, None)
    (tmp_path / "ami_environment.yml").touch()
    assert find_file(tmp_path, None).name == "ami_environment.yml"
    (tmp_path / "environment.yml").touch()
    assert find_file(tmp_path, None).name == "environment.yml"
    assert find_file(tmp_path, "ami_environment.yml").name == "ami_environment.yml"
