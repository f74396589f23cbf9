"""An event's environment is made from its kit by one command."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from tests.acceptance.conftest import Deployment

EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris}}
worker: {{worker_type: conda, {environment}}}
"""

# knows an environment as soon as it was made; refuses what it was not asked for by RAMP
CONDA = """#!/bin/sh
envs={envs}
echo "conda $*" >> {log}
case "$*" in
"info --envs --json")
    if [ -d "$envs/ramp-iris" ]; then mine=", \\"$envs/ramp-iris\\""; fi
    printf '{{"envs": ["%s"%s], "root_prefix": "%s"}}' "$envs" "$mine" "$envs" ;;
"create --name ramp-iris --yes") mkdir -p "$envs/ramp-iris/bin" ;;
"env update --name ramp-iris --file "*) [ -f "$6" ] && touch "$envs/ramp-iris/bin/ramp-test" ;;
*) exit 64 ;;
esac
"""


def test_a_conda_environment_is_made_and_updated_by_ramps_commands(deployment: Deployment) -> None:
    folder, log = deployment.folder, deployment.folder / "log"
    conda = folder / "bin" / "conda"
    conda.parent.mkdir()
    conda.write_text(CONDA.format(envs=folder / "envs", log=log))
    conda.chmod(0o755)
    (folder / "envs").mkdir()
    deployment.environment["PATH"] = f"{conda.parent}:{os.environ['PATH']}"
    deployment.write_event(EVENT.format(environment="conda_env: ramp-iris"))

    early = deployment.invoke("env-update")
    assert early.exit_code == 2, early
    assert "invoke env-create" in early.err
    made = deployment.invoke("env-create")
    assert made.exit_code == 0, made
    assert str(folder / "envs" / "ramp-iris") in made.out
    twice = deployment.invoke("env-create")
    assert twice.exit_code == 2, twice
    assert "is there already" in twice.err
    assert deployment.invoke("env-update").exit_code == 0

    file = folder / "examples" / "iris" / "environment.yml"
    update = f"conda env update --name ramp-iris --file {file}"
    did = [line for line in log.read_text().splitlines() if "info" not in line]
    assert did == ["conda create --name ramp-iris --yes", update, update]


def test_a_virtual_environment_gets_the_pip_part_and_names_what_only_conda_has(deployment: Deployment) -> None:
    deployment.write_event(EVENT.format(environment="env: venv, venv_dir: envs/iris"))
    wheels = deployment.folder / "wheels"
    write_wheel(wheels)
    deployment.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}

    early = deployment.invoke("train-loop")
    assert early.exit_code == 2, early
    assert "invoke env-create" in early.err
    made = deployment.invoke("env-create")
    assert made.exit_code == 0, made
    for package in ("numpy>=2.4,<2.6", "pandas=3.1", "scikit-learn=1.9"):
        assert package in made.err
    assert os.access(deployment.folder / "envs" / "iris" / "bin" / "ramp-test", os.X_OK)
    updated = deployment.invoke("env-update")
    assert updated.exit_code == 0, updated


def write_wheel(folder: Path) -> None:
    """A ramp-workflow of one command, so that nothing is fetched."""
    folder.mkdir()
    name = "ramp_workflow-0.7.0"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("rampwf_stand_in.py", "def main() -> None: ...\n")
        info = f"{name}.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ramp-workflow\nVersion: 0.7.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/entry_points.txt", "[console_scripts]\nramp-test = rampwf_stand_in:main\n")
        wheel.writestr(f"{info}/RECORD", "")
