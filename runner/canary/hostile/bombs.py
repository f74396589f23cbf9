"""Take all there is of something. Each is bounded, should nothing stop it."""

from __future__ import annotations

import os
import time

from runner.canary.hostile.trying import Plan

_BLOCK = bytes(2**20)
_MOST_PROCESSES = 600
_WAIT_S = 15.0  # a supervisor that looks now and then may be late on a busy host; who is ended does not wait


def forks(plan: Plan) -> str:
    """Start processes without end."""
    started = 0
    until = time.monotonic() + _WAIT_S
    while started < _MOST_PROCESSES and time.monotonic() < until:
        try:
            if os.fork() == 0:
                time.sleep(_WAIT_S)
                os._exit(0)
            started += 1
        except OSError:
            time.sleep(0.005)
    time.sleep(max(0.0, until - time.monotonic()))
    return f"started {started} processes"


def memory(plan: Plan) -> str:
    """Hold more and more memory."""
    held = []  # type: list[bytearray]
    while len(held) * 8 * 2**20 < 3 * plan.memory_bytes:
        held.append(bytearray(os.urandom(4096)) * 2048)
        time.sleep(0.001)
    time.sleep(_WAIT_S)
    return f"held {len(held) * 8} MiB"


def disk(plan: Plan) -> str:
    """Fill the disk with files, each within its limit."""
    written = 0
    while written < 4 * plan.disk_bytes:
        with open(os.path.join(plan.home, str(written)), "wb", buffering=0) as file:
            for _ in range(4):
                written += file.write(_BLOCK)
    time.sleep(_WAIT_S)
    return f"wrote {written / 2**20:.0f} MiB"


def many(plan: Plan) -> str:
    """Return more files than anybody wants."""
    folder = os.path.join(plan.own_folder, "training_output")
    os.mkdir(folder)
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for number in range(plan.many_files):
        os.close(os.open(str(number), os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=place))
    return f"left {plan.many_files} files"


def endless(plan: Plan) -> str:
    """Compute for ever."""
    until = time.monotonic() + 10 * _WAIT_S
    while time.monotonic() < until:
        pass
    return "computed as long as it liked"
