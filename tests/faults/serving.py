"""Be a dispatcher: what `invoke train-loop` composes, with faster clocks, in a process that may be killed."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from contracts.event_file import load_event
from contracts.image import ImageReference
from contracts.stack import StackOutputs
from runner import app, process_name
from runner.dispatcher import Dispatcher, Pace
from runner.interruption import Interruption
from runner.patience import Patience
from runner.retry import Budget
from runner.store import SqlStore
from tests.faults import troubles
from tests.faults.troubles import Trouble

_MADE_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Order:
    """What a dispatcher is told: its event, its clocks in seconds, what is to go wrong, where its words go."""

    event: Path
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    outputs: StackOutputs | None = None
    image_id: str = ""
    trouble: Trouble | None = None
    lease_s: float = 10.0
    lease_renewal_s: float = 2.0
    first_wait_s: float = 0.2


def serve(order: Order) -> None:
    """Serve the event until nothing is left to do; the last line of the log is the summary."""
    _speak_into(order.log)
    _live_in(order.environment)
    if order.trouble is not None:
        troubles.arm(order.trouble)
    event = load_event(order.event, environ={})
    store = SqlStore(
        event.database_url.get_secret_value(),
        event,
        app.now,
        owner=process_name.own_name(),
        lease_s=order.lease_s,
        is_dead=process_name.is_dead,
    )
    interruption = Interruption()
    settings = event.dispatcher
    pace = Pace(
        settings.n_workers,
        settings.hunger_policy,
        settings.time_between_collection,
        lease_renewal_s=order.lease_renewal_s,
    )
    dispatcher = Dispatcher(
        event.name,
        pace=pace,
        store=store,
        hosts=app.make_hosts(
            event, outputs=order.outputs, image=_image(order.image_id), interruption=interruption, launches=store
        ),
        interruption=interruption,
        now=app.now,
        observe=lambda progress: logging.getLogger("progress").debug("%s", progress),
        patience=Patience(budget=Budget(first_wait_s=order.first_wait_s)),
    )
    print(dispatcher.serve(), flush=True)
    store.close()


def _image(image_id: str) -> Callable[[], ImageReference]:
    return lambda: ImageReference(image_id, "of-the-tests", _MADE_AT, tested=True)


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
