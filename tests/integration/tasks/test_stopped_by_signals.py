"""A second signal ends a process that does not come to its end after the first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

STUCK = """
import subprocess, sys, threading
from runner.interruption import Interruption
from tasks.training import stopped_by_signals

interruption = Interruption()
interruption.on_ask(threading.Event().wait)  # what is to stop does not
with stopped_by_signals(interruption, terminate=False):
    job = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=-3, stderr=-3)
    sys.stdout.write("said and not flushed")
    print(job.pid, file=sys.stderr, flush=True)
    threading.Event().wait()
"""


def test_the_second_signal_ends_the_process_at_once_and_its_jobs_go_on() -> None:
    job = 0
    with subprocess.Popen([sys.executable, "-c", STUCK], stdout=-1, stderr=-1, text=True) as stuck:
        try:
            assert stuck.stderr is not None
            job = int(stuck.stderr.readline())
            stuck.send_signal(signal.SIGTERM)
            assert "once more to exit at once" in stuck.stderr.readline()
            stuck.send_signal(signal.SIGTERM)
            out, err = stuck.communicate(timeout=30)
            assert (stuck.returncode, out) == (128 + signal.SIGTERM, "said and not flushed")
            assert "exiting at once" in err
            os.kill(job, 0)  # raises where it has ended
        finally:
            stuck.kill()
            if job:
                os.kill(job, signal.SIGKILL)
