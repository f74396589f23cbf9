"""Start a job behind the strongest walls this host can build."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from runner.job.supervisor import folders, namespaces, process_group, systemd
from runner.job.supervisor.accounts import Account
from runner.job.supervisor.contained import Contained
from runner.job.supervisor.job import CannotContain, Job

WAYS = ("systemd", "namespaces", "user-namespace", "process-group")
STRICT = frozenset({"systemd", "namespaces"})
"""Those that keep a job from network, rights and the rest of the system."""

_START: dict[str, Callable[[Job], Contained]] = {
    "systemd": systemd.start,
    "namespaces": namespaces.start,
    "user-namespace": namespaces.start,
    "process-group": process_group.start,
}


class Started(NamedTuple):
    """A job that runs, with what kept it from stronger walls, a clause each."""

    contained: Contained
    reasons: list[str]


def start(job: Job, ways: tuple[str, ...], *, strict: bool) -> Started:
    """Start the job by the first of the ways that works; `strict` takes the strong ones alone.

    Raises CannotContain where none works, OSError where the program itself cannot be run.
    """
    reasons = []
    for way in ways:
        if strict and way not in STRICT:
            continue
        if way in STRICT and job.account is None:
            reasons.append(f"{way}: the login user may not become root")
            continue
        if way == "user-namespace" and job.account is not None:
            continue
        tried = job._replace(account=_owner(job)) if way == "process-group" else job
        try:
            folders.prepare(tried)
            return Started(_START[way](tried), reasons)
        except CannotContain as error:
            reasons.append(f"{way}: {error}")
    raise CannotContain("; ".join(reasons) or "no way is left")


def _owner(job: Job) -> Account | None:
    """Without walls another user could not enter the folder: its owner, who logged in, has the fewest rights left."""
    owner = job.folder.stat()
    return None if job.account is None else Account(owner.st_uid, owner.st_gid)
