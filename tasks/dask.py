"""The command that shows an event's Dask cluster, and changes its size: dask-cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from contracts.event import EventConfig


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | JSON_HELP
    | {
        "up": "have one worker at least",
        "scale": "have so many workers, within infra.dask.min and max: where they are too many, idle ones end",
        "down": "have the least number of workers; those with a run stay",
        "dashboard": "open the scheduler's own pages through the event's way in, until Ctrl-C",
    },
)
def dask_cluster(
    event: str | None = None,
    config: str | None = None,
    up: bool = False,
    scale: str | None = None,
    down: bool = False,
    dashboard: bool = False,
    json: bool = False,
    local: bool = False,
) -> None:
    """Show an event's Dask cluster: its workers, their runs, the free places. Or change its size.

    A cluster of `worker.cluster` lives as long as a train-loop, which scales it; that of `worker.dask_scheduler` is
    not scaled here.

    Example: invoke dask-cluster --event dask --scale 4
    """
    from tasks import dask_operations
    from tasks.events import open_event

    size = dask_operations.size_of(up=up, scale=scale, down=down, dashboard=dashboard)
    opened = open_event(event, config=config, local=local)
    if size is not None:
        dask_operations.resize(opened, size)
    elif dashboard:
        dask_operations.show_dashboard(opened)
    else:
        _show(opened, as_json=json)


def _show(event: EventConfig, *, as_json: bool) -> None:
    from tasks import console, dask_operations

    found = dask_operations.workers(event)
    if as_json:
        console.data([{"address": one.address, "machine": one.machine, "runs": one.runs} for one in found])
        return
    rows = [(one.address, one.machine[:12], ", ".join(one.runs) or "free") for one in found]
    console.table(f"workers of {event.name}", ("worker", "machine", "run"), rows, empty="no worker yet")
    console.result(dask_operations.told(found))
    if event.is_on_ec2 and event.worker.cluster is None:
        console.next_step(f"invoke dask-cluster --event {event.name} --dashboard opens the scheduler's own pages")
