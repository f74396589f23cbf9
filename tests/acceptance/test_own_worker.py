"""Workers of an organiser's own run an event: the example of the documentation, and one written for RAMP."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import REPOSITORY, Deployment
from tests.acceptance.test_this_machine import processes_below, submit

EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: {worker}, timeout: {timeout}, niceness: 1}}
dispatcher: {{n_workers: 2, n_threads: 1, hunger_policy: exit, time_between_collection: 0.1}}
"""

# after RAMP's page on workers of one's own, as an organiser would have written it; only the first import is ours
RAMPS_WAY = """
from runner.workers import BaseWorker
import logging, os, shutil, subprocess

logger = logging.getLogger("RAMP-WORKER")

class LocalWorker(BaseWorker):
    def setup(self):
        self._check_config_name(self.config, "kit_dir")
        super().setup()

    def launch_submission(self):
        if self.status == "running":
            raise ValueError("Wait that the submission is processed before to launch a new one.")
        cmd = [{ramp_test!r}, "--submission", self.submission, "--ramp-kit-dir", self.config["kit_dir"]]
        cmd += ["--ramp-data-dir", self.config["data_dir"]]
        cmd += ["--ramp-submission-dir", self.config["submissions_dir"], "--save-output", "--ignore-warning"]
        self._proc = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        super().launch_submission()

    def _is_submission_finished(self):
        return False if self._proc.poll() is None else True

    def collect_results(self):
        super().collect_results()
        stdout, stderr = self._proc.communicate()
        log_dir = os.path.join(self.config["logs_dir"], self.submission)
        if not os.path.exists(log_dir):
            os.makedirs(log_dir)
        with open(os.path.join(log_dir, "log"), "wb+") as f:
            f.write(stdout + b"\\n\\n" + stderr)
        pred_dir = os.path.join(self.config["predictions_dir"], self.submission)
        output = os.path.join(self.config["submissions_dir"], self.submission, "training_output")
        if os.path.exists(pred_dir):
            shutil.rmtree(pred_dir)
        shutil.copytree(output, pred_dir)
        self.status = "collected"
        logger.info(repr(self))
        return (self._proc.returncode, "")

    def teardown(self):
        super().teardown()
"""


def states(deployment: Deployment) -> dict[str, tuple[str, str | None]]:
    rows = json.loads(deployment.invoke("status", "--json").out)
    rows = rows["submissions"] if isinstance(rows, dict) else rows
    return {row["submission"]: (row["state"], row["cause"]) for row in rows}


@pytest.fixture
def nice(deployment: Deployment) -> Deployment:
    source = (REPOSITORY / "examples" / "own_worker" / "nice_worker.py").read_text()
    (deployment.folder / "nice_worker.py").write_text(source)
    return deployment


def test_the_documented_worker_scores_and_fails_submissions_like_any_other(nice: Deployment) -> None:
    nice.write_event(EVENT.format(worker="nice_worker:NiceWorker", timeout=120))
    submit(nice, "forest", "raises")
    served = nice.invoke("train-loop")
    assert served.exit_code == 0, served
    assert states(nice) == {"my_forest": ("scored", None), "my_raises": ("training_error", "raised")}
    log = nice.invoke("logs", "--team", "blue", "--submission", "my_raises").out
    assert "Traceback (most recent call last)" in log


def test_a_submission_past_its_time_is_ended_with_its_processes(nice: Deployment) -> None:
    nice.write_event(EVENT.format(worker="nice_worker:NiceWorker", timeout=1))
    submit(nice, "never_ends")
    assert nice.invoke("train-loop").exit_code == 0
    assert states(nice) == {"my_never_ends": ("training_error", "timeout")}
    assert processes_below(nice.folder) == []


def test_a_worker_written_for_ramp_runs_with_its_import_changed(deployment: Deployment) -> None:
    ramp_test = str(Path(sys.executable).with_name("ramp-test"))
    (deployment.folder / "ramps_way.py").write_text(RAMPS_WAY.format(ramp_test=ramp_test))
    deployment.write_event(EVENT.format(worker="ramps_way:LocalWorker", timeout=120))
    submit(deployment, "forest")
    served = deployment.invoke("train-loop")
    assert served.exit_code == 0, served
    assert states(deployment) == {"my_forest": ("scored", None)}


def test_a_worker_that_is_broken_is_the_organisers_error(deployment: Deployment) -> None:
    broken = "    def setup(self):\n        raise OSError('no such cluster')\n"
    text = RAMPS_WAY.format(ramp_test="x").partition("    def setup")[0] + broken
    text += "    launch_submission = collect_results = _is_submission_finished = setup\n"
    (deployment.folder / "broken.py").write_text(text)
    deployment.write_event(EVENT.format(worker="broken:LocalWorker", timeout=120))
    submit(deployment, "forest")
    served = deployment.invoke("train-loop")
    assert "setup() raised OSError: no such cluster" in served.err
    assert states(deployment) == {"my_forest": ("checking_error", "environment-broken")}


def test_a_stop_tears_workers_down_and_gives_their_submissions_back(nice: Deployment) -> None:
    nice.write_event(EVENT.format(worker="nice_worker:NiceWorker", timeout=600))
    submit(nice, "never_ends")
    loop = nice.start("train-loop")
    for line in loop.said:
        if "runs on" in line:
            break
    os.killpg(loop.pid, signal.SIGTERM)
    rest = loop.await_end(60)
    assert "1 back in the queue" in rest
    assert states(nice) == {"my_never_ends": ("new", None)}
    assert processes_below(nice.folder) == []
