"""Stop a run's job on its host."""

from __future__ import annotations

from contracts.errors import CommandFailed, HostUnreachable
from contracts.work import Pushed
from runner import commands
from runner.ports import Transport


def stop(pushed: Pushed, transport: Transport) -> None:
    """End the job with everything it started; nothing of it runs when this returns.

    Fine when it has ended, or never ran. Raises CommandFailed or HostUnreachable.
    """
    host = pushed.provisioned.host.host_id
    answer = transport.run(commands.kill(pushed.provisioned.layout, pushed.job_dir))
    if answer.exit_code == -1:
        raise HostUnreachable(f"{host} broke off while the job was stopped")
    if answer.exit_code != 0:
        said = answer.stderr.decode("utf-8", "replace").strip()
        raise CommandFailed(f"the job on {host} could not be stopped", exit_code=answer.exit_code, output_tail=said)


def tidy(pushed: Pushed, transport: Transport) -> None:
    """Stop the job where it still runs, then delete its folder on the host."""
    stop(pushed, transport)
    answer = transport.run(commands.remove(pushed.job_dir))
    if answer.exit_code != 0:
        host = pushed.provisioned.host.host_id
        raise CommandFailed(f"{pushed.job_dir} on {host} could not be deleted", exit_code=answer.exit_code)
