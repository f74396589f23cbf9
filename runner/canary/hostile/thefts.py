"""Look for what is nobody's business: labels, other submissions, keys, the host's own files."""

from __future__ import annotations

import glob
import os
from functools import partial

from runner.canary.hostile.trying import Impossible, Plan, Stopped, any_of

_MOST_BYTES = 200
_USER_DATA = ("/var/lib/cloud",)
_LOGS = ("/var/log",)
_SECRETS = ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh/ssh_host_*_key", "/root/.bash_history")


def labels(plan: Plan) -> str:
    """Read a file in the host's own kit and data folders."""
    return any_of(partial(_first_file, place, plan.token) for place in plan.label_folders)


def other_submission(plan: Plan) -> str:
    """Read the code of a submission beside."""
    beside = os.path.join(plan.job_folder, os.pardir)
    return any_of((lambda: _first_file(plan.other_submission, plan.token), lambda: _others(beside, plan)))


def home(plan: Plan) -> str:
    """Read what lies in the homes of whoever logs in."""
    return any_of(partial(_bait_in, place, plan.token) for place in plan.homes)


def keys(plan: Plan) -> str:
    """Read keys, or let oneself in."""
    places = [os.path.join(place, ".ssh") for place in plan.homes]
    return any_of(
        [
            *(partial(_bait_in, place, plan.token) for place in places),
            *(partial(_appended, os.path.join(place, "authorized_keys")) for place in places),
        ]
    )


def user_data(plan: Plan) -> str:
    """List what cloud-init was told."""
    return any_of(partial(_listed, place) for place in _USER_DATA)


def logs(plan: Plan) -> str:
    """List the host's logs."""
    return any_of(partial(_listed, place) for place in _LOGS)


def secrets(plan: Plan) -> str:
    """Open password hashes, sudo's settings, the host's own key."""
    places = [path for pattern in _SECRETS for path in (glob.glob(pattern) or [pattern])]
    return any_of(partial(_opened, path) for path in places)


def supervisor_files(plan: Plan) -> str:
    """Read what the supervisor keeps in the job's folder."""
    names = ("log", "lock", "supervisor", "supervise/__main__.py", "unit", "exit")
    return any_of(partial(_opened, os.path.join(plan.job_folder, name)) for name in names)


def _first_file(place: str, token: str) -> str:
    """Read the bait below a folder; without one any file."""
    seen = ""
    for folder, _, names in os.walk(place, onerror=_raise):
        for name in names:
            path = os.path.join(folder, name)
            if token in name:
                return _text(path)
            seen = seen or path
    if not seen:
        raise Stopped("the folder is empty")
    return _opened(seen)


def _others(jobs: str, plan: Plan) -> str:
    own = os.path.basename(plan.job_folder)
    others = [name for name in os.listdir(jobs) if name != own and not name.startswith(".")]
    if not others:
        raise Stopped("no other job is in sight")
    return _opened(os.path.join(jobs, others[0], "submissions"))


def _bait_in(place: str, token: str) -> str:
    if not place:
        raise Impossible("no home is known")
    for name in os.listdir(place):
        if token in name:
            return _text(os.path.join(place, name))
    raise Stopped("nothing of it is in sight")


def _listed(place: str) -> str:
    names = os.listdir(place)
    if not names:
        raise Stopped("the folder is empty")
    return f"{place} has {len(names)} entries"


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read(_MOST_BYTES)


def _opened(path: str) -> str:
    if os.path.isdir(path):
        return f"{path} has {len(os.listdir(path))} entries"
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return f"may read {path}"


def _appended(path: str) -> str:
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    return f"may write to {path}"


def _raise(error: OSError) -> None:
    raise error
