"""Choose what submissions run in a rehearsal: the real ramp-test, or a stand-in that costs no more than its shell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localcloud.machines import Machine
from runner.kit import KitDescription, ScoreType, describe_kit
from tests.integration.clouds import Cloud

_IRIS = Path(__file__).resolve().parents[2] / "examples" / "iris"


@dataclass(frozen=True, slots=True)
class Job:
    """A kit with the program that runs its submissions.

    `code_name` is the one file of a submission; `trivial` is code that trains at once, `waits` code that trains until
    it is let go on. `program` None means the real ramp-test.
    """

    name: str
    kit: KitDescription
    kit_files: dict[str, bytes]
    code_name: str
    trivial: str
    waits: str
    program: str | None = None


# called as ramp-test is: --submission KEY --ramp-kit-dir K --ramp-data-dir D --ramp-submission-dir S ...
# behind walls its kit cannot be written to, and nothing is noted
_PROGRAM = """#!/bin/sh
set -e
kit=$4
cd "$8/$2"
(echo "$2" >>"$kit/trainings") 2>/dev/null || :
echo "CV fold 0"
echo "training $(grep -csx "$2" "$kit/trainings") on this host"
. ./submission.sh
mkdir training_output
for fold in 0 1; do
    folder=training_output/fold_$fold
    mkdir "$folder"
    printf '%s\\n' step,acc,nll,time train,0.9,0.5,0.1 valid,0.8,0.6,0.1 test,0.7,0.7,0.1 >"$folder/scores.csv"
    for step in train valid test; do echo 0.1 >"$folder/${step}_time"; done
done
printf '%s\\n' step,n_bag,acc,nll valid,0,0.8,0.6 valid,1,0.8,0.6 test,0,0.7,0.7 test,1,0.7,0.7 \\
    >training_output/bagged_scores.csv
"""

STAND_IN = Job(
    name="stand-in",
    kit=KitDescription("Stand-in", (ScoreType("acc", False), ScoreType("nll", True)), folds=2),
    kit_files={"problem.py": b""},  # it must be there, and is the stand-in's business no further
    code_name="submission.sh",
    trivial=":\n",
    waits='while [ ! -e "$kit/go" ]; do sleep 0.05; done\n',
    program=_PROGRAM,
)

_DUMMY = """from sklearn.dummy import DummyClassifier


def get_estimator():
    return DummyClassifier(strategy="prior")
"""
_WAITING_DUMMY = f"""import pathlib
import time

while not pathlib.Path("go").exists():  # ramp-test runs in the kit's folder
    time.sleep(0.05)

{_DUMMY}"""


@cache
def iris() -> Job:
    """The example challenge with the real ramp-test and the cheapest classifier there is."""
    kit = describe_kit(_IRIS)
    files = [_IRIS / "problem.py", *sorted((_IRIS / "data").iterdir())]
    kit_files = {str(path.relative_to(_IRIS)): path.read_bytes() for path in files}
    return Job("iris", kit, kit_files, "estimator.py", _DUMMY, _WAITING_DUMMY)


def make_kit(job: Job, folder: Path) -> Path:
    """Write the kit on this machine."""
    for name, content in job.kit_files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def make_prefix(job: Job, folder: Path) -> Path:
    """Make what passes for a virtual environment of this machine."""
    if job.program is None:
        return Path(sys.prefix)
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "ramp-test").write_text(job.program)
    (programs / "ramp-test").chmod(0o755)
    return folder


def make_conda(job: Job, root: Path, name: str) -> str:
    """Make what passes for a conda with one environment; gives the PATH that it is on."""
    prefix = make_prefix(job, root / "envs" / name)
    info = {"envs": [str(root), str(prefix)], "root_prefix": str(root)}
    conda = root / "condabin" / "conda"
    conda.parent.mkdir()
    conda.write_text(f"#!/bin/sh\n[ \"$*\" = 'info --envs --json' ] && echo '{json.dumps(info)}'\n")
    conda.chmod(0o755)
    return f"{conda.parent}:{os.environ['PATH']}"


def make_image(job: Job, cloud: Cloud) -> str:
    """Make an image whose hosts have kit and program; gives its id."""
    instance_id = make_machine(job, cloud)
    image_id: str = cloud.client("ec2").create_image(InstanceId=instance_id, Name=f"image-of-{job.name}")["ImageId"]
    cloud.terminate(instance_id)
    return image_id


def make_machine(job: Job, cloud: Cloud) -> str:
    """Launch a machine and put kit and program on it, the kit in the home; gives its id."""
    instance_id = cloud.launch()["InstanceId"]
    machine = cloud.local.machine(instance_id)
    program = str(Path(sys.prefix, "bin", "ramp-test"))
    if job.program is not None:
        program = f"{machine.home}/ramp-test"
        _write(machine, program, job.program.encode(), mode=0o755)
    for name, content in job.kit_files.items():
        _write(machine, f"{machine.home}/{name}", content)
    layout = {"kit_dir": machine.home, "data_dir": machine.home, "python": sys.executable, "ramp_test": program}
    _write(machine, f"{machine.home}/.rampart/layout.json", json.dumps(layout).encode())
    return str(instance_id)


def let_go_on(machine: Machine) -> None:
    """Let the submissions that wait on an emulated machine end, now and later."""
    _write(machine, f"{machine.home}/go", b"")


def trainings(machine: Machine) -> list[str]:
    """The keys of the submissions whose training a stand-in has begun on an emulated machine."""
    asked = machine.spawn(["sh", "-c", 'cat "$HOME/trainings" 2>/dev/null || true'], user=machine.login_user)
    done = subprocess.run(asked.argv, env=asked.env, cwd=asked.cwd, capture_output=True, text=True, check=True)
    return done.stdout.split()


def _write(machine: Machine, path: str, content: bytes, *, mode: int = 0o644) -> None:
    machine.write_file(path, content, mode=mode, owner=machine.login_user)
