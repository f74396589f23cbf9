"""Run submissions on this machine, in a conda or virtual environment."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path

from contracts.event import EventConfig
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned
from runner.interruption import Interruption
from runner.ports import Transport
from runner.stages import clean_up
from runner.workers.environments import environment_prefix

THIS_MACHINE = "this-machine"


def layout_here(event: EventConfig) -> HostLayout:
    """Where the event's challenge lies on this machine. Raises EnvironmentMissing or ToolMissing."""
    prefix, ramp = environment_prefix(event.worker), event.ramp
    private = (event.deployment, event.state_root, ramp.submissions_dir, ramp.predictions_dir, ramp.logs_dir)
    return HostLayout(
        kit_dir=str(ramp.kit_dir),
        data_dir=str(ramp.data_dir),
        python=str(prefix / "bin" / "python"),
        ramp_test=str(prefix / "bin" / "ramp-test"),
        is_ours=False,
        hidden=tuple(map(str, private)),
    )


class ThisMachine:
    """The host pool that is this machine: every run gets a folder of its own."""

    def __init__(self, event: EventConfig, *, open_transport: Callable[[Path], Transport]) -> None:
        self._event = event
        self._home = event.state_dir / "host"
        self._connect = open_transport

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:  # noqa: ARG002
        host = HostAddress(host_id=THIS_MACHINE, address="localhost", user=getpass.getuser())
        return Provisioned(claimed=claimed, host=host, layout=layout_here(self._event))

    def acquire_another(self, claimed: Claimed) -> Provisioned | None:
        """Give a share of a run's folds its own folder: the event file says how many there may be."""
        return self.acquire(claimed)

    def connect(self, provisioned: Provisioned) -> Transport:  # noqa: ARG002 - every run is on the same machine
        return self._open_transport()

    def is_gone(self, provisioned: Provisioned) -> bool:  # noqa: ARG002 - it is the machine we run on
        return False

    def release(self, provisioned: Provisioned) -> None:
        """End what may still run of the job, then remove its folder."""
        clean_up.give_back(provisioned, self._open_transport)

    def _open_transport(self) -> Transport:
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._connect(self._home)
