"""Wait for the end of a launched run."""

from __future__ import annotations

import json
import math
from typing import Any

from contracts.errors import HostUnreachable, RunLost
from contracts.work import Containment, Finished, JobEnd, JobExit, Launched
from runner import commands
from runner.ports import Transport

GRACE_S = 120.0
"""How long after the run's own time limit the supervisor may take to end it."""

_MAX_RECORD_BYTES = 4096


def wait(launched: Launched, transport: Transport) -> Finished:
    """Block until the job has ended and read its exit record.

    Raises HostUnreachable when the connection breaks (the job goes on: connect again and wait again), RunLost when
    the supervisor is gone without a record, CommandTimedOut when it does not keep the run's time limit.
    """
    provisioned = launched.pushed.provisioned
    argv = commands.wait(provisioned.layout, launched.pushed.job_dir)
    answer = transport.run(argv, timeout_s=provisioned.claimed.work.timeout_s + GRACE_S)
    if answer.exit_code == -1 or answer.exit_code > 128:  # by a signal: it says nothing about the job
        raise HostUnreachable(f"the wait on {provisioned.host.host_id} was broken off", hint="wait again")
    if answer.exit_code != 0:
        said = answer.stderr.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1]
        raise RunLost(f"the job on {provisioned.host.host_id} left no exit record" + (f": {said}" if said else ""))
    return Finished(launched, parse_exit(answer.stdout))


def parse_exit(record: bytes) -> JobExit:
    """Read an exit record; it comes from the host, so a malformed one is RunLost."""
    try:
        if len(record) > _MAX_RECORD_BYTES:
            raise ValueError("an overlong record")
        fields = json.loads(record)
        return JobExit(
            end=JobEnd(fields["end"]),
            code=int(fields["code"]),
            wall_time_s=_seconds(fields["wall_time_s"]),
            cpu_time_s=_seconds(fields["cpu_time_s"]),
            peak_memory_bytes=int(fields["peak_memory_bytes"]),
            output_bytes=int(fields["output_bytes"]),
            output_dropped_bytes=int(fields["output_dropped_bytes"]),
            containment=Containment(fields["containment"]) if fields.get("containment") else None,
        )
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise RunLost("the job left an exit record that cannot be read") from error


def _seconds(field: Any) -> float:
    seconds = float(field)
    if not math.isfinite(seconds):
        raise ValueError("a time without end")
    return seconds
