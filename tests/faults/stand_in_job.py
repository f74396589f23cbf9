"""Stand in for ramp-test where what a submission computes does not matter: a run costs no more than its shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from localcloud.machines import Machine
from runner.kit import KitDescription, ScoreType
from tests.integration.clouds import Cloud

KIT = KitDescription("Stand-in", (ScoreType("acc", False), ScoreType("nll", True)), folds=2)
CODE = "submission.sh"
WAITS = 'while [ ! -e "$kit/go" ]; do sleep 0.05; done\n'
"""Code of a submission that trains until it is let go on."""

# called as the job calls ramp-test: --submission KEY --ramp-kit-dir K --ramp-data-dir D --ramp-submission-dir S ...
PROGRAM = f"""#!/bin/sh
set -e
kit=$4
cd "$8/$2"
echo "$2" >>"$kit/trainings"
echo "CV fold 0"
echo "training $(grep -cx "$2" "$kit/trainings") on this host"
. ./{CODE}
mkdir training_output
for fold in 0 1; do
    folder=training_output/fold_$fold
    mkdir "$folder"
    printf '%s\\n' step,acc,nll,time train,0.9,0.5,0.1 valid,0.8,0.6,0.1 test,0.7,0.7,0.1 >"$folder/scores.csv"
    for step in train valid test; do echo 0.1 >"$folder/${{step}}_time"; done
done
printf '%s\\n' step,n_bag,acc,nll valid,0,0.8,0.6 valid,1,0.8,0.6 test,0,0.7,0.7 test,1,0.7,0.7 \\
    >training_output/bagged_scores.csv
"""


def make_prefix(folder: Path) -> Path:
    """Make what passes for a virtual environment of this machine."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "ramp-test").write_text(PROGRAM)
    (programs / "ramp-test").chmod(0o755)
    return folder


def make_image(cloud: Cloud) -> str:
    """Make an image whose hosts have it; gives the image's id."""
    instance_id = cloud.launch()["InstanceId"]
    machine = cloud.local.machine(instance_id)
    program = f"{machine.home}/ramp-test"
    layout = {"kit_dir": machine.home, "data_dir": machine.home, "python": sys.executable, "ramp_test": program}
    machine.write_file(program, PROGRAM.encode(), mode=0o755, owner=machine.login_user)
    layout_file = f"{machine.home}/.rampart/layout.json"
    machine.write_file(layout_file, json.dumps(layout).encode(), mode=0o644, owner=machine.login_user)
    image_id: str = cloud.client("ec2").create_image(InstanceId=instance_id, Name="stand-in")["ImageId"]
    cloud.terminate(instance_id)
    return image_id


def let_go_on(machine: Machine) -> None:
    """Let the submissions that wait on an emulated machine end, now and later; its kit is its home."""
    machine.write_file(f"{machine.home}/go", b"", mode=0o644, owner=machine.login_user)


def trainings(machine: Machine) -> list[str]:
    """The submissions whose training has begun on an emulated machine, each as often as it has."""
    asked = machine.spawn(["sh", "-c", 'cat "$HOME/trainings" 2>/dev/null || true'], user=machine.login_user)
    done = subprocess.run(asked.argv, env=asked.env, cwd=asked.cwd, capture_output=True, text=True, check=True)
    return done.stdout.split()
