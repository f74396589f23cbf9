"""An event of RAMP's own making runs on this machine, from the queue to the leaderboard."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Deployment

# RAMP's documented example for the conda worker, with its paths adapted; what is public there is waived here
RAMP_EVENT = """
ramp:
    problem_name: iris
    event_name: iris_ramp_test
    event_title: "Iris classification challenge"
    event_is_public: true
worker:
    worker_type: conda
    conda_env: ramp-iris
    kit_dir: {deployment}/ramp-kits/iris
    data_dir: {deployment}/ramp-data/iris/data
    submissions_dir: {deployment}/events/iris_ramp_test/submissions
    logs_dir: {deployment}/events/iris_ramp_test/logs
    predictions_dir: {deployment}/events/iris_ramp_test/predictions
    timeout: 14400
    canary: waived
    hooks:
        after_sucessful_training: cd {deployment}/events;echo $RAMPART_EVENT $RAMPART_STATE $RAMPART_SCORE_TYPE > hooked
dispatcher:
    hunger_policy: exit
    n_workers: 2
    n_threads: 2
    time_between_collection: 1
"""

RAMP_DEPLOYMENT = """
flask:
    secret_key: abcdefghijkl
    mail_server: localhost
sqlalchemy:
    drivername: sqlite
    database: {deployment}/ramp.db
"""

VENV_EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: {timeout}, memory_limit_mib: 512}}
dispatcher: {{n_workers: 2, n_threads: 1, hunger_policy: exit}}
"""

SUBMISSIONS = Path("examples/iris/submissions")


def conda_stand_in(deployment: Deployment) -> str:
    """A `conda` on PATH that knows one environment, a real one; gives the PATH."""
    envs = deployment.folder / "miniconda" / "envs"
    envs.mkdir(parents=True)
    (envs / "ramp-iris").symlink_to(sys.prefix)
    conda = deployment.folder / "bin" / "conda"
    conda.parent.mkdir()
    answer = json.dumps({"envs": [str(envs.parent), str(envs / "ramp-iris")], "root_prefix": str(envs.parent)})
    conda.write_text(f"#!/bin/sh\n[ \"$*\" = 'info --envs --json' ] || exit 64\nprintf '%s' '{answer}'\n")
    conda.chmod(0o755)
    return f"{conda.parent}:{os.environ['PATH']}"


def test_an_existing_ramp_event_for_conda_trains_a_submission_with_its_canary_waived(deployment: Deployment) -> None:
    folder = deployment.folder
    (folder / "ramp-kits").mkdir()
    (folder / "examples" / "iris").rename(folder / "ramp-kits" / "iris")
    (folder / "ramp-data" / "iris").mkdir(parents=True)
    (folder / "ramp-kits" / "iris" / "data").rename(folder / "ramp-data" / "iris" / "data")
    deployment.write_event(RAMP_EVENT.format(deployment=folder), name="iris_ramp_test")
    (folder / "config.yml").write_text(RAMP_DEPLOYMENT.format(deployment=folder))
    deployment.environment["PATH"] = conda_stand_in(deployment)

    submitted = deployment.invoke(
        "submit", "--team", "blue", "--submission", "trees", "--path", "ramp-kits/iris/submissions/forest"
    )
    assert submitted.exit_code == 0, submitted
    trained = deployment.invoke("train-loop", "--event", "iris_ramp_test")
    assert trained.exit_code == 0, trained

    with sqlite3.connect(folder / "ramp.db") as database:
        states = database.execute("SELECT state FROM submissions").fetchall()
        folds = database.execute("SELECT state, train_time FROM submission_on_cv_folds").fetchall()
        bagged = database.execute("SELECT valid_score_cv_bag FROM submission_scores").fetchall()
    database.close()
    assert states == [("scored",)]
    assert [state for state, _ in folds] == ["scored", "scored"]
    assert all(time > 0 for _, time in folds)
    assert all(score is not None for (score,) in bagged)
    events = folder / "events" / "iris_ramp_test"
    assert (events / "predictions" / "submission_000000001" / "fold_0" / "y_pred_test.npz").is_file()
    assert (folder / "events" / "hooked").read_text() == "iris_ramp_test scored acc\n"
    assert "trees" not in (events / "logs" / "submission_000000001" / "log").name


@pytest.fixture
def with_venv(deployment: Deployment) -> Deployment:
    deployment.write_event(VENV_EVENT.format(prefix=sys.prefix, timeout=60))
    return deployment


def submit(deployment: Deployment, *names: str) -> None:
    for name in names:
        path = str(SUBMISSIONS / name)
        answer = deployment.invoke("submit", "--team", "blue", "--submission", f"my_{name}", "--path", path)
        assert answer.exit_code == 0, answer


def test_the_team_of_a_failed_submission_learns_what_it_raised(with_venv: Deployment) -> None:
    submit(with_venv, "raises")
    answer = with_venv.invoke("train", "--team", "blue", "--submission", "my_raises")
    assert answer.exit_code == 1, answer
    assert "participant" in answer.err
    (row,) = json.loads(with_venv.invoke("status", "--json").out)
    assert (row["state"], row["blame"], row["cause"]) == ("training_error", "participant", "raised")
    log = with_venv.invoke("logs", "--team", "blue", "--submission", "my_raises").out
    assert "Traceback (most recent call last)" in log
    (with_venv.folder / "events" / "iris" / "logs" / "submission_000000001" / "log").unlink()
    without = with_venv.invoke("logs", "--team", "blue", "--submission", "my_raises")
    assert without.exit_code == 2, without
    assert "left no log: the submission raised" in without.err


def test_ctrl_c_ends_every_process_and_gives_the_submission_back(with_venv: Deployment) -> None:
    submit(with_venv, "never_ends")
    loop = with_venv.start("train-loop", "--terminate")
    for line in loop.said:
        if "runs on" in line:
            break
    os.killpg(loop.pid, signal.SIGINT)
    rest = loop.await_end(30)
    assert loop.exit_code == 130, rest
    assert "1 back in the queue" in rest
    (row,) = json.loads(with_venv.invoke("status", "--json").out)
    assert row["state"] == "new"
    assert processes_below(with_venv.folder) == []


WAITS = """
import pathlib, time
from sklearn.dummy import DummyClassifier

def get_estimator():
    until = time.monotonic() + 60
    while not pathlib.Path(__file__).with_name("go").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return DummyClassifier(strategy="prior")
"""


def test_after_ctrl_c_the_job_goes_on_and_the_next_train_loop_collects_it(with_venv: Deployment) -> None:
    code = with_venv.folder / "code"
    code.mkdir()
    (code / "estimator.py").write_text(WAITS)
    answer = with_venv.invoke("submit", "--team", "blue", "--submission", "waits", "--path", str(code))
    assert answer.exit_code == 0, answer
    loop = with_venv.start("train-loop")
    for line in loop.said:
        if "runs on" in line:
            break
    os.killpg(loop.pid, signal.SIGINT)
    rest = loop.await_end(30)
    assert loop.exit_code == 130, rest
    assert "1 going on on their hosts" in rest
    assert processes_below(with_venv.folder) != []
    (job,) = with_venv.folder.rglob("jobs/iris-1-1")
    (job / "submissions" / "submission_000000001" / "go").touch()
    answer = with_venv.invoke("train-loop")
    assert answer.exit_code == 0, answer
    assert "1 scored, 0 failed" in answer.err
    with sqlite3.connect(with_venv.folder / ".rampart" / "iris.db") as database:
        runs = database.execute("SELECT attempt, stage FROM rampart_runs").fetchall()
    database.close()
    assert runs == [(1, "scored")]


def test_the_outputs_of_a_plain_pulumi_up_are_asked_of_pulumi(deployment: Deployment) -> None:
    deployment.write_event(VENV_EVENT.format(prefix=sys.prefix, timeout=60))
    exported = {
        "stack": "iris", "event": "iris", "region": "eu-west-3", "vpc_id": "vpc-1", "subnet_ids": ["subnet-1"],
        "security_group_id": "sg-1", "key_name": "iris", "launch_template_id": "lt-1",
        "image_pipeline_arn": "arn:aws:imagebuilder:eu-west-3:1:image-pipeline/iris", "image_name": "iris-backend",
        "build_subnet_id": "subnet-1", "access": "public", "server_group_id": "sg-2", "builder_group_id": "sg-3",
        "instance_types": ["t3.medium"], "image_parameter": "/imagebuilder/rampart/iris/image",
        "image_log_group": "/aws/imagebuilder/rampart-iris",
    }  # fmt: skip
    pulumi = deployment.folder / "bin" / "pulumi"
    pulumi.parent.mkdir()
    asked = "--non-interactive stack output --json --stack iris"
    pulumi.write_text(f"#!/bin/sh\n[ \"$*\" = '{asked}' ] || exit 64\nprintf '%s' '{json.dumps(exported)}'\n")
    pulumi.chmod(0o755)
    answer = deployment.invoke("outputs", "--json", extra={"PATH": f"{pulumi.parent}:{os.environ['PATH']}"})
    assert answer.exit_code == 0, answer
    assert exported.items() <= json.loads(answer.out).items()


def processes_below(folder: Path) -> list[str]:
    """Command lines of processes that name the folder or have it as working directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
            here = process.joinpath("cwd").readlink()
        except (OSError, UnicodeDecodeError):
            continue
        if str(folder) in command or here.is_relative_to(folder):
            found.append(command)
    return found
