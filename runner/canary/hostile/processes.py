"""Reach other processes, and outlive the job."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from functools import partial

from runner.canary.hostile.trying import MADE, Plan, Stopped, any_of, forked, number_of, system_call

_SEIZE = 0x4206
_LIFE_S = "120"


def signals(plan: Plan) -> str:
    """Signal the launcher, and a process of whoever logs in."""
    return any_of((lambda: _signalled(plan.launcher), lambda: _bait_signalled(plan)))


def traced(plan: Plan) -> str:
    """Trace the launcher, which would then do as it is told."""
    return any_of(partial(_seized, pid) for pid in (plan.launcher, plan.bait_pid))


def looked_into(plan: Plan) -> str:
    """Read environment, memory and open files of the launcher."""
    tries = [
        partial(_opened, pid, name)
        for pid in (plan.launcher, plan.bait_pid)
        for name in ("environ", "mem", "fd", "cwd")
    ]
    return any_of(tries)


def escaped(plan: Plan) -> str:
    """Leave a process that is nobody's child, in a session of its own, without a word of its origin."""
    if forked() == 0:
        os.setsid()
        if forked() == 0:
            os.chdir("/")
            _let_go()
            os.execve("/bin/sleep", [f"{plan.token}-escaped", _LIFE_S], {})  # noqa: S606 - no shell, on purpose
        os._exit(0)
    os.wait()
    return MADE + "a process in a session of its own"


def stays(plan: Plan) -> str:
    """Leave processes that hear no signal but the last one, one after the other."""
    code = f"import os,time\nfor _ in range(12):\n os.fork() and os._exit(0)\n os.setsid()\ntime.sleep({_LIFE_S})"
    if forked() == 0:
        os.setsid()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        _let_go()
        name = f"{plan.token}-stays"
        os.execve(sys.executable, [name, "-I", "-S", "-c", code], {})  # noqa: S606 - no shell, on purpose
    time.sleep(0.05)
    return MADE + "processes that ignore signals"


def _signalled(pid: int) -> str:
    if pid != 1:
        os.kill(pid, 0)
        return "may signal the launcher"
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.02)
    raise Stopped("the first process of a namespace hears none of its signals")  # we live, so it does


def _bait_signalled(plan: Plan) -> str:
    os.kill(plan.bait_pid, signal.SIGUSR1)
    return "may signal the login user's processes"


def _seized(pid: int) -> str:
    system_call(number_of(101, 117), ctypes.c_long(_SEIZE), ctypes.c_long(pid), None, None)
    return f"traces process {pid}"  # until this process ends


def _opened(pid: int, name: str) -> str:
    path = f"/proc/{pid}/{name}"
    if name == "fd":
        names = [os.readlink(os.path.join(path, number)) for number in os.listdir(path)]
        return f"sees {len(names)} open files of process {pid}"
    if name == "cwd":
        os.stat(path)
        return f"sees the folder of process {pid}"
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if name == "environ":
            os.read(descriptor, 1)
    finally:
        os.close(descriptor)
    return f"may read {path}"


def _let_go() -> None:
    """Hold nothing open that the job's end waits for."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.closerange(3, 256)
