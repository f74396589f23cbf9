"""Say what must be true of an event whatever has gone wrong in it."""

from __future__ import annotations

from pathlib import Path

from runner.job.supervisor.environment import MARK
from tests.faults.rehearsal import Rehearsal

_FINAL = ("scored", "training_error", "validating_error", "testing_error", "checking_error")


def broken_while_it_goes_on(rehearsal: Rehearsal) -> list[str]:
    """What is wrong at a moment at which dispatchers may be at work."""
    return [*_scored_more_than_once(rehearsal), *_attempts_without_lease(rehearsal)]


def broken_at_the_end(rehearsal: Rehearsal) -> list[str]:
    """What is wrong when every dispatcher has ended, and the queue is empty or nobody will come back for it."""
    unfinished = [] if rehearsal.is_abandoned else [*_not_final(rehearsal), *_held_leases(rehearsal)]
    return [
        *broken_while_it_goes_on(rehearsal),
        *_scored_without_a_run(rehearsal),
        *unfinished,
        *_live_instances(rehearsal),
        *_live_processes(rehearsal),
    ]


def _scored_more_than_once(rehearsal: Rehearsal) -> list[str]:
    """I1: one scored row per submission (and generation)."""
    query = (
        "SELECT submission_id, generation, count(*) FROM rampart_runs WHERE stage = 'scored' "
        "GROUP BY submission_id, generation HAVING count(*) > 1"
    )
    return [f"submission {one} is scored {count} times" for one, _, count in rehearsal.rows(query)]


def _scored_without_a_run(rehearsal: Rehearsal) -> list[str]:
    """I1, seen from RAMP's table."""
    query = (
        "SELECT id FROM submissions WHERE state = 'scored' AND id NOT IN "
        "(SELECT submission_id FROM rampart_runs WHERE stage = 'scored')"
    )
    return [f"submission {one} is scored by no run" for (one,) in rehearsal.rows(query)]


def _attempts_without_lease(rehearsal: Rehearsal) -> list[str]:
    """I3: no live attempt without a lease."""
    query = "SELECT id, stage FROM rampart_runs WHERE ended_at IS NULL AND lease_expires_at IS NULL"
    return [f"run {one} is in {stage} without a lease" for one, stage in rehearsal.rows(query)]


def _not_final(rehearsal: Rehearsal) -> list[str]:
    return [f"{name} is {state}" for name, state in rehearsal.states().items() if state not in _FINAL]


def _held_leases(rehearsal: Rehearsal) -> list[str]:
    query = "SELECT id, stage FROM rampart_runs WHERE lease_expires_at IS NOT NULL"
    return [f"run {one}, {stage}, is still leased" for one, stage in rehearsal.rows(query)]


def _live_instances(rehearsal: Rehearsal) -> list[str]:
    """I2: no live instance without a live attempt, of which there is none any more."""
    return [f"{one} is still up" for one in (rehearsal.hosts.live() if rehearsal.hosts else [])]


def _live_processes(rehearsal: Rehearsal) -> list[str]:
    """No dispatcher, and no job on this machine."""
    mark = f"{MARK}={rehearsal.folder}".encode()
    jobs = [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if mark in _content(path)]
    left = [one.log.name for one in rehearsal.dispatchers if not one.has_ended]
    return [f"process {pid} of a job is left" for pid in jobs] + [f"{name} has not ended" for name in left]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended, or is somebody else's
        return b""
