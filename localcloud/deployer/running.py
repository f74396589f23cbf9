"""Run a Pulumi program to its end on a monitor of ours."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
from pulumi.runtime import mocks, settings
from pulumi.runtime.config import set_all_config
from pulumi.runtime.stack import run_in_stack

from localcloud.deployer.monitor import Monitor

Program = Callable[[], Mapping[str, Any]]
"""Declares resources; gives the stack's outputs."""

_ONE_AT_A_TIME = threading.Lock()
"""Parts of Pulumi's runtime are global to the process."""

_LOOK_UP_S = 0.5

_LOG = logging.getLogger(__name__)
_LOG.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Run:
    """What a program is told of its run. `secrets` are values of its configuration, by their names in the project."""

    project: str
    stack: str
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_preview: bool = False


def run(program: Program, monitor: Monitor, told: Run, *, stop: Callable[[], None]) -> None:
    """Run the program in a thread, and so in a context and an event loop of its own, that end with it.

    Raises the monitor's failure, else what the program raises. An interrupt (Ctrl-C) calls `stop`, waits for what has
    begun, and is raised then.
    """
    raised: list[BaseException] = []
    ended = threading.Event()

    def body() -> None:
        try:
            asyncio.run(_run(program, monitor, told))
        except BaseException as error:
            raised.append(error)
        finally:
            ended.set()

    with _ONE_AT_A_TIME:
        thread = threading.Thread(target=body, name=f"deploy-{told.stack}")
        try:
            thread.start()
            _await(ended)  # an interrupted join would take a running thread for an ended one (Python up to 3.12)
        except BaseException:
            stop()
            if thread.ident is not None:
                _await(ended)
            raise
        thread.join()
    if monitor.failure is not None:
        raise monitor.failure
    if raised:
        raise raised[0]


def _await(ended: threading.Event) -> None:
    """Wait, and look up now and then: an interrupt that comes just before a wait begins does not end it."""
    while not ended.wait(_LOOK_UP_S):
        pass


async def _run(program: Program, monitor: Monitor, told: Run) -> None:
    asyncio.get_running_loop().set_exception_handler(_quietly)
    # These fill the context of this thread, which starts empty; set_mocks alone leaves some of it unset.
    settings.configure(settings.Settings(project=told.project, stack=told.stack, dry_run=told.is_preview))
    secrets = {f"{told.project}:{name}": value for name, value in told.secrets.items()}
    set_all_config(secrets, list(secrets))
    # With a root in place set_mocks makes no stack of its own; run_in_stack then makes the only one.
    settings.set_root_resource(cast(pulumi.Resource, monitor))
    mocks.set_mocks(
        mocks=monitor.mocks,
        project=told.project,
        stack=told.stack,
        preview=told.is_preview,
        logger=_LOG,
        monitor=monitor,
    )
    settings.set_root_resource(cast(pulumi.Resource, None))

    def declare() -> None:
        for name, value in program().items():
            pulumi.export(name, value)

    await run_in_stack(declare)


def _quietly(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Keep to the log what asyncio would print: after a failure, outputs nobody will ever await."""
    _LOG.debug("%s: %r", context.get("message"), context.get("exception"))
