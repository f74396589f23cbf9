"""An interrupt of a deployment waits for what the engine has begun; a second one does not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

DEPLOYS = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from tasks import engine

def act():
    print("begun", flush=True)
    print("ended as", sys.stdin.readline().strip(), flush=True)

engine._to_its_end(act)
"""


@pytest.fixture
def deploying() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", DEPLOYS], stdin=-1, stdout=-1, stderr=-1, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "begun\n"
            process.send_signal(signal.SIGINT)
            assert "pulumi ends what it has begun" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def test_what_has_begun_is_waited_for_and_the_interrupt_is_raised_then(deploying: subprocess.Popen[str]) -> None:
    out, err = deploying.communicate("it should\n", timeout=60)

    assert out == "ended as it should\n"
    assert "KeyboardInterrupt" in err


def test_a_second_interrupt_leaves_it_alone(deploying: subprocess.Popen[str]) -> None:
    deploying.send_signal(signal.SIGINT)

    assert deploying.wait(timeout=60) != 0
