"""Show what the jobs write that share the folds of one run, each line behind the name of its folds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from queue import SimpleQueue

from contracts.errors import RampartError
from contracts.event import EventConfig
from contracts.redaction import Redactor
from contracts.work import Provisioned, Spread
from runner.app import connect_to
from runner.spread import records, values
from runner.telling.following import LiveLog
from tasks import console

_LOOK_AGAIN_S = 1.0


def is_in(share: Provisioned, spread: Spread) -> bool:
    """Whether a job has not ended, of the same attempt."""
    return share.claimed.work in [one.claimed.work for one in values.shares_of(spread)]


def show(event: EventConfig, spread: Spread, redactor: Redactor, goes_on: Callable[[Provisioned], bool]) -> bool:
    """Print lines as they come until all jobs have ended; gives whether they were all there are.

    `goes_on` tells whether a job is still to be waited for; it is called from several threads.
    """
    jobs = values.shares_of(spread)
    told: SimpleQueue[str | bool] = SimpleQueue()
    for job in jobs:
        watch = (event, LiveLog(job, redactor), partial(goes_on, job), told)
        threading.Thread(target=_watch, args=watch, daemon=True, name="follow").start()
    ended: list[bool] = []
    while len(ended) < len(jobs):
        match told.get():
            case bool() as is_whole:
                ended.append(is_whole)
            case line:
                console.result(line)
    return all(ended)


def _watch(event: EventConfig, log: LiveLog, goes_on: Callable[[], bool], told: SimpleQueue[str | bool]) -> None:
    name = records.named(log.provisioned.claimed.work.share)
    is_whole = False
    try:
        while not is_whole and goes_on():
            try:
                with closing(connect_to(event, log.provisioned)) as transport:
                    for line in log.lines(transport):
                        told.put(f"{name}: {line}")
                    is_whole = True
            except RampartError:  # its job is not launched yet, or has just ended, or the host does not answer
                time.sleep(_LOOK_AGAIN_S)
    finally:
        told.put(is_whole)
