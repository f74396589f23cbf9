"""The environment of an event is found as RAMP finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.event import Worker
from runner.workers.environments import EnvironmentMissing, choose_prefix, environment_prefix

INFO: dict[str, object] = {
    "envs": ["/opt/miniconda", "/opt/miniconda/envs/ramp-iris", "/srv/not-envs/ramp-iris2"],
    "root_prefix": "/opt/miniconda",
}


def test_a_conda_environment_is_found_by_its_name() -> None:
    assert choose_prefix("ramp-iris", INFO) == Path("/opt/miniconda/envs/ramp-iris")


def test_base_is_the_installation_itself() -> None:
    assert choose_prefix("base", INFO) == Path("/opt/miniconda")


def test_an_unknown_environment_is_refused_with_those_that_exist() -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        choose_prefix("ramp-titanic", INFO)
    assert "ramp-iris" in caught.value.hint
    assert caught.value.exit_code == 2


def test_an_environment_without_ramp_test_is_refused_with_the_way_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing) as caught:
        environment_prefix(Worker(worker_type="conda", env="venv", venv_dir=tmp_path))
    assert "pip install ramp-workflow" in caught.value.hint
