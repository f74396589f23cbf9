"""The pool of a Dask cluster in memory, with all that a test may change of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from contracts.work import HostLayout
from runner.dask.announcing import Announcement
from runner.dask.pool import DaskHosts, DaskTempo
from runner.interruption import Interruption
from runner.layout import LayoutMissing
from runner.ports import Transport
from tests.unit.runner.dask.cluster_doubles import Clock
from tests.unit.runner.dask.pool_doubles import PATIENCE_S, DaskDouble

LAYOUT = HostLayout("/kit", "/data", "/env/bin/python", "/env/bin/ramp-test")
ONE, OTHER = "1" * 32, "2" * 32
GONE_S = 30.0


def find_layout(transport: Transport) -> HostLayout:
    assert transport.run(["true"]).exit_code == 0
    return LAYOUT


def find_nothing(_: Transport) -> HostLayout:
    raise LayoutMissing("there is no kit")


@dataclass
class Bench:
    """A pool over a cluster in memory."""

    announcement: Announcement
    dask: DaskDouble = field(default_factory=DaskDouble)
    clock: Clock = field(default_factory=Clock)
    interruption: Interruption = field(default_factory=Interruption)
    find: Callable[[Transport], HostLayout] = find_layout
    another_s: float = PATIENCE_S

    def pool(self, *, places_per_run: int = 1) -> DaskHosts:
        return DaskHosts(
            self.dask,
            open_door=self.dask.open_door,
            layout=self.find,
            announcement=self.announcement,
            user="ubuntu",
            places_per_run=places_per_run,
            interruption=self.interruption,
            tempo=DaskTempo(gone=GONE_S, dial=0.001, another=self.another_s),
            clock=self.clock,
        )

    def ended_on(self, machine: str) -> list[str]:
        """The folders of the jobs that were ended on a machine."""
        return [call[4] for call in self.dask.hosts[machine].calls if call[0] == "sh"]
