"""Be a dispatcher: what `invoke train-loop` composes, with faster clocks, in a process that may be killed."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clients.keepalive import Keepalive
from contracts.event_file import load_event
from contracts.image import ImageReference, ImageStatus
from contracts.stack import StackOutputs
from runner import app, commands
from runner.carrying.patience import Patience
from runner.dask.pool import DaskTempo
from runner.hosts import Tempo
from runner.interruption import Interruption
from runner.judging.retry import Budget
from runner.ports import Lasting
from tests.faults import troubles
from tests.faults.troubles import Trouble

_MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = Patience(budget=Budget(first_wait_s=0.2))
TEMPO = Tempo(notice=0.3, first_retry=0.5, longest_retry=2.0)
DASK_TEMPO = DaskTempo(gone=3.0, dial=0.2)
KEEPALIVE = Keepalive(every_s=1.0, silence_s=4.0, answer_s=4.0, look_s=0.5)


@dataclass(frozen=True, slots=True)
class Order:
    """What a dispatcher is told: its event, its clocks in seconds, what is to go wrong, where its words go.

    `walls`: its jobs are contained as the product contains them. Without them a stand-in may note in its kit, which is
    outside of everything the product knows of a run, how often it was started.
    """

    event: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    outputs: StackOutputs | None = None
    image_id: str = ""
    trouble: Trouble | None = None
    walls: bool = False
    lease_s: float = 10.0
    lease_renewal_s: float = 2.0
    patience: Patience = PATIENCE
    tempo: Tempo = TEMPO
    keepalive: Keepalive = KEEPALIVE
    dask_tempo: DaskTempo = DASK_TEMPO


def serve(order: Order) -> None:
    """Serve the event until nothing is left to do; the last line of the log is the summary."""
    _speak_into(order.log)
    _live_in(order.environment)
    if not order.walls:
        _tear_down_walls()
    if order.trouble is not None:
        troubles.arm(order.trouble)
    event = load_event(order.event, environ={})
    store = app.open_store(event, lease_s=order.lease_s)
    interruption = Interruption()
    hosts = app.make_hosts(
        event,
        outputs=order.outputs,
        image=_image(order.image_id),
        interruption=interruption,
        launches=store,
        tempo=order.tempo,
        keepalive=order.keepalive,
        dask_tempo=order.dask_tempo,
    )
    dispatcher = app.make_dispatcher(
        event,
        store=store,
        hosts=hosts,
        interruption=interruption,
        observe=lambda progress: logging.getLogger("progress").debug("%s", progress),
        lease_renewal_s=order.lease_renewal_s,
        patience=order.patience,
    )
    print(dispatcher.serve(), flush=True)
    if isinstance(hosts, Lasting):
        hosts.close()
    store.close()


def _tear_down_walls() -> None:
    """Have the supervisor told which way to contain a job, as none of the product's own callers does."""
    launch = commands.launch

    def without_walls(*args: Any, **kwargs: Any) -> tuple[str, ...]:
        argv = launch(*args, **kwargs)
        end = argv.index("--")
        return (*argv[:end], "--containment", "process-group", *argv[end:])

    commands.launch = without_walls


def _image(image_id: str) -> Callable[[], ImageReference]:
    return lambda: ImageReference(image_id, "of-the-tests", _MADE_AT, ImageStatus.VERIFIED)


def _speak_into(log: Path) -> None:
    """Everything this process says goes to its log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")


def _live_in(environment: dict[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "RAMPART_"))]:
        del os.environ[name]
    os.environ.update(environment)
