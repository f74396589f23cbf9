"""The scoring process has no network and no capability, where the machine can take them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runner.scoring.confining import confined

_ASKS = """
import socket
try:
    socket.create_connection(("127.0.0.1", 9), 5)
except OSError as error:
    print(error.errno)
print(open("/proc/self/status").read().split("CapEff:")[1].split()[0])
"""
_UNREACHABLE = "101"


def test_the_scoring_process_reaches_nothing_and_may_nothing() -> None:
    argv = confined((sys.executable, "-c", _ASKS))
    if argv[0] == sys.executable:
        pytest.skip("this machine gives a process no network namespace")
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [_UNREACHABLE, "0" * 16]
