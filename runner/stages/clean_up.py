"""Clean up after a run on a host that goes on living."""

from __future__ import annotations

import logging
from collections.abc import Callable

from contracts.errors import CommandFailed, RampartError
from contracts.work import Provisioned
from runner import commands
from runner.ports import Transport

_log = logging.getLogger(__name__)


def give_back(provisioned: Provisioned, connect: Callable[[], Transport]) -> None:
    """Clean up over a connection of its own; what goes wrong is logged, for the result of the run is safe."""
    try:
        transport = connect()
        try:
            clean_up(provisioned, transport)
        finally:
            transport.close()
    except RampartError as error:
        _log.error("could not clean up after a run: %s", error, extra={"action": "clean-up-failed"})


def clean_up(provisioned: Provisioned, transport: Transport) -> None:
    """End what is left of the attempt's job with every process it started, then remove its folder.

    Doing it twice is fine. Raises CommandFailed or HostUnreachable.
    """
    answer = transport.run(commands.end(provisioned.layout, provisioned.claimed.work))
    if answer.exit_code != 0:
        said = answer.stderr.decode("utf-8", "replace").strip()
        message = f"the job on {provisioned.host.host_id} could not be ended: {said}"
        raise CommandFailed(message, exit_code=answer.exit_code, output_tail=said)
