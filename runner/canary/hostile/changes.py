"""Change what is not the job's own: the record, the kit, the environment, the system."""

from __future__ import annotations

import os
import sys
from functools import partial

from runner.canary.hostile.trying import Plan, any_of

FORGED_PEAK = 4242
_SYSTEM = (
    *("/", "/etc", "/etc/cron.d", "/etc/systemd/system", "/etc/sudoers.d", "/opt", "/srv", "/boot", "/run"),
    *("/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/local/lib", "/var/lib", "/var/spool/cron/crontabs"),
)


def record(plan: Plan) -> str:
    """Write how the job ended before it has, and hold the lock others wait for."""
    forged = (
        '{"end": "exited", "code": 0, "wall_time_s": 1, "cpu_time_s": 1, "output_bytes": 0, '
        f'"peak_memory_bytes": {FORGED_PEAK}}}'
    )
    return any_of(
        (
            lambda: _written(os.path.join(plan.job_folder, "exit"), forged),
            lambda: _may_write(os.path.join(plan.job_folder, "lock")),
            lambda: _may_write(os.path.join(plan.job_folder, "log")),
        )
    )


def kit(plan: Plan) -> str:
    """Put a file into the kit, or write to its problem.py."""
    here = os.getcwd()
    problem = os.path.join(here, "problem.py")
    return any_of((lambda: _left(here, plan.token), lambda: _may_write(problem)))


def environment(plan: Plan) -> str:
    """Put a module where others import from."""
    places = dict.fromkeys([os.path.dirname(os.__file__), sys.prefix, sys.base_prefix])
    return any_of(partial(_left, place, plan.token) for place in places)


def system(plan: Plan) -> str:
    """Put a file where the system looks for programs and settings."""
    places = [place for place in _SYSTEM if os.path.isdir(place)]
    return any_of(partial(_left, place, plan.token) for place in places)


def _left(folder: str, token: str) -> str:
    path = os.path.join(folder, f".{token}.tmp")
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)
    return f"may write to {folder}"


def _may_write(path: str) -> str:
    os.close(os.open(path, os.O_WRONLY))
    return f"may write to {path}"


def _written(path: str, text: str) -> str:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(descriptor, text.encode())
    os.close(descriptor)
    return f"wrote {path}"
