"""Launch the job of a pushed run, detached from our connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from contracts.errors import CommandFailed, HostUnreachable
from contracts.work import Launched, Pushed
from runner import commands
from runner.ports import Transport


def launch(
    pushed: Pushed, transport: Transport, clock: Callable[[], datetime], *, program: Sequence[str] = ()
) -> Launched:
    """Start the job under its supervisor; when this returns the job's lock is held.

    `program` is what it runs instead of what trains a submission.

    A job that was launched before is not launched again and counts as launched, so an answer lost on the way is
    asked for again by calling this once more. Raises CommandFailed or HostUnreachable.
    """
    provisioned, is_blind = pushed.provisioned, pushed.is_blind
    work = provisioned.claimed.work
    argv = commands.launch(provisioned.layout, pushed.job_dir, work, is_blind=is_blind, program=program)
    answer = transport.run(argv)
    if answer.exit_code == -1:
        raise HostUnreachable(f"{provisioned.host.host_id} broke off while the job was launched")
    if answer.exit_code not in (0, commands.ALREADY_THERE):
        said = answer.stderr.decode("utf-8", "replace").strip()
        last = said.rsplit("\n", 1)[-1]
        hint = f"look at {provisioned.layout.python} on the host"
        message = f"the job could not be launched on {provisioned.host.host_id}: {last}"
        raise CommandFailed(message, exit_code=answer.exit_code, output_tail=said, hint=hint)
    return Launched(pushed, clock())
