"""Run submissions on this machine at the lowest priority: a worker of one's own, with RAMP's methods."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from runner.workers import BaseWorker

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class NiceWorker(BaseWorker):
    """`ramp-test` under `nice`; the key `niceness` in the event file's section `worker` says how nice (10)."""

    _process = None

    def setup(self):
        ramp_test = Path(sys.executable).with_name("ramp-test")
        if not ramp_test.exists():
            raise FileNotFoundError(f"{ramp_test} is missing: pip install ramp-workflow")
        self._command = ["nice", "-n", str(self.config.get("niceness", 10)), str(ramp_test)]
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives until teardown
        super().setup()

    def launch_submission(self):
        threads = self.config["n_threads"]
        self._process = subprocess.Popen(
            [
                *self._command,
                *("--submission", self.submission),
                *("--ramp-kit-dir", self.config["kit_dir"]),
                *("--ramp-data-dir", self.config["data_dir"]),
                *("--ramp-submission-dir", self.config["submissions_dir"]),
                *("--save-output", "--ignore-warning"),
            ],
            # a stranger's code runs here: it gets nothing of this process's environment
            env={"PATH": os.environ["PATH"]} | ({name: str(threads) for name in THREADS} if threads else {}),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        super().launch_submission()

    def _is_submission_finished(self):
        return self._process.poll() is not None

    def collect_results(self):
        super().collect_results()
        logs = Path(self.config["logs_dir"], self.submission)
        logs.mkdir(parents=True, exist_ok=True)
        self._output.seek(0)
        with (logs / "log").open("wb") as log:
            shutil.copyfileobj(self._output, log)
        trained = Path(self.config["submissions_dir"], self.submission, "training_output")
        if trained.is_dir():
            shutil.copytree(trained, Path(self.config["predictions_dir"], self.submission), symlinks=True)
        self.status = "collected"
        return self._process.returncode, ""

    def teardown(self):
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._output.close()
        super().teardown()
