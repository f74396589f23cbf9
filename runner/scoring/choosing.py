"""Choose where an event's runs are scored."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.errors import AskedWrongly
from contracts.event import EventConfig, Scoring
from runner.ports import Scorer
from runner.scoring.bundle import KitFolders
from runner.scoring.confining import confined
from runner.scoring.scorer import KitScorer, Wrap
from runner.workers.environments import is_here, kit_python

GUIDE = "docs/how-to/score-on-the-server.md"
_log = logging.getLogger(__name__)
_BUILT_IN = frozenset({"aws", "conda", "dask"})


@contextmanager
def scorer_of(event: EventConfig, *, wrap: Wrap = confined) -> Iterator[Scorer | None]:
    """Make what scores the event's runs on this machine; None where their hosts do, which is warned of.

    The kit is read meanwhile; runs on this machine would wait for that, so it is waited for here. `wrap` confines the
    process that reads it. Raises AskedWrongly where the event demands what its kit or worker does not allow.
    """
    demanded = event.worker.scoring is Scoring.SERVER
    why_not = _why_hosts_score(event)
    if why_not and demanded:
        raise AskedWrongly(f"scoring: server cannot be had: {why_not}", hint="leave worker.scoring out, or say host")
    if why_not:
        _warn(why_not)
        yield None
        return
    scorer = KitScorer(
        KitFolders(event.ramp.kit_dir, event.ramp.data_dir),
        str(kit_python(event.worker)),
        event.state_dir / "scoring",
        demanded=demanded,
        warn=_warn,
        n_threads=event.dispatcher.n_threads,
        wrap=wrap,
    )
    try:
        scorer.start()
        refusal = scorer.refusal() if demanded or is_here(event.worker) else ""
        if demanded and refusal:
            hint = f"{GUIDE} tells what a kit needs; scoring: host leaves the labels to the hosts"
            raise AskedWrongly(f"scoring: server cannot be had: {refusal}", hint=hint)
        yield scorer
    finally:
        scorer.close()


def _why_hosts_score(event: EventConfig) -> str:
    """Why the event's runs are scored on their hosts, whatever its kit; empty where the kit decides."""
    worker, private = event.worker, event.infra.image.private_data
    if worker.worker_type not in _BUILT_IN:
        return f"worker type {worker.worker_type} runs them in a way of its own"
    if worker.scoring is Scoring.HOST:
        return "the event file says scoring: host"
    if worker.scoring is None and not is_here(worker) and (private.s3 or private.osf_secret):
        return "their data come from infra.image.private_data, and may not be here; where they are: scoring: server"
    return ""


def _warn(reason: str) -> None:
    told = "the test labels lie beside strangers' code, for submissions are scored on their hosts: %s; see %s"
    _log.warning(told, reason, GUIDE, extra={"action": "labels-on-hosts"})
