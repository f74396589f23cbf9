"""Find where the challenge lies on the machine of a Dask worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from contracts.dask_machines import CERTIFICATES
from contracts.errors import ToolMissing
from contracts.event import EventConfig
from contracts.work import HostLayout
from runner.layout import find_layout
from runner.ports import Transport
from runner.workers.conda import layout_here
from runner.workers.environments import EnvironmentMissing, is_here

_ARE_THERE = ("sh", "-c", '[ -x "$1" ] && [ -x "$2" ] && [ -d "$3" ]', "sh")


def layout_of(event: EventConfig) -> Callable[[Transport], HostLayout]:
    """Give what finds it: at the same places as on this machine, as RAMP has it, else where an image says it is."""
    here = _here(event)

    def find(transport: Transport) -> HostLayout:
        if here is not None:
            asked = (*_ARE_THERE, here.python, here.ramp_test, here.kit_dir)
            if transport.run(asked).exit_code == 0:
                return here
        problem, folder = event.ramp.problem_name, event.worker.remote_ramp_kit_folder
        found = find_layout(transport, problem=problem, remote_kit_folder=folder)
        # machines that somebody else keeps are not there for submissions alone, as far as we know
        return replace(found, is_ours=event.is_on_ec2, hidden=(CERTIFICATES,))

    return find


def _here(event: EventConfig) -> HostLayout | None:
    if not is_here(event.worker):
        return None
    try:
        return layout_here(event)
    except (EnvironmentMissing, ToolMissing):  # the workers may have it all the same
        return None
