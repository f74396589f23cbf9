"""Run an event's hooks as its runs begin, succeed or fail."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType

from contracts.event import EventConfig
from contracts.event_secrets import secrets_of
from contracts.work import Failed, Scored, Work
from runner.clip import clipped
from runner.interruption import Interruption
from runner.judging.wording import sentence_for_team
from runner.progress import Progress, RunEnded, Stage, StageStarted
from runner.stages import log_text
from runner.store.messages import state_of
from runner.telling import hook_process

_log = logging.getLogger(__name__)
LIMIT_S = 600.0
"""How long a hook may run."""
DRAIN_S = 60.0
"""How long the hooks that are left at the end may take together."""


class Hooks:
    """An observer that runs the event's commands beside the runs, one after the other, never in a run's own thread.

    What is left at the end of the `with` block has `drain_s` seconds.
    """

    def __init__(
        self,
        event: EventConfig,
        environ: Mapping[str, str],
        *,
        limit_s: float = LIMIT_S,
        drain_s: float = DRAIN_S,
    ) -> None:
        self._event = event
        self._hooks = event.worker.hooks
        self._environ = hook_process.without_secrets(environ, secrets_of(event, environ))
        self._limit_s = limit_s
        self._drain_s = drain_s
        self._given_up = Interruption()
        self._each = _Line("hooks", self._given_up)
        self._batch = _Line("leaderboards", self._given_up)

    def __enter__(self) -> Hooks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        patience = threading.Timer(self._drain_s, self._given_up.ask)
        patience.daemon = True
        patience.start()
        try:
            self._each.close()
            self._batch.close()
        finally:
            patience.cancel()

    def __call__(self, progress: Progress) -> None:
        """Take note of what a run does."""
        match progress:
            case StageStarted(work, Stage.WAIT):
                self._run((self._hooks.start_training,), {**self._facts(work), "RAMPART_STATE": "training"})
            case RunEnded(work, Scored() as scored):
                lines = (self._hooks.successful_training, self._hooks.after_successful_training)
                self._run(lines, {**self._facts(work), **_success(scored)})
                self._update_leaderboards()
            case RunEnded(work, Failed() as failed):
                self._run((self._hooks.failed_training,), {**self._facts(work), **_failure(failed)})
                self._update_leaderboards()

    def _run(self, lines: tuple[str | None, ...], facts: Mapping[str, str]) -> None:
        for line in lines:
            if line is not None:
                self._each.put(self._command(line, facts))

    def _update_leaderboards(self) -> None:
        line = self._hooks.update_leaderboards
        if line is not None:
            self._batch.put_once(self._command(line, {"RAMPART_EVENT": self._event.name}))

    def _command(self, line: str, facts: Mapping[str, str]) -> Callable[[], None]:
        return partial(
            hook_process.run,
            line,
            {**self._environ, **facts},
            self._event.deployment,
            limit_s=self._limit_s,
            given_up=self._given_up,
        )

    def _facts(self, work: Work) -> dict[str, str]:
        return {
            "RAMPART_EVENT": self._event.name,
            "RAMPART_TEAM": work.team,
            "RAMPART_SUBMISSION": work.submission,
            "RAMPART_SUBMISSION_ID": str(work.submission_id),
            "RAMPART_ATTEMPT": str(work.attempt),
            "RAMPART_LOG": str(work.logs_dir / work.submission_key / "log"),
        }


class _Line:
    """What waits to be done, and the one thread that does it."""

    def __init__(self, name: str, given_up: Interruption) -> None:
        self._name = name
        self._given_up = given_up
        self._changed = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._closed = False
        self._thread: threading.Thread | None = None

    def put(self, job: Callable[[], None]) -> None:
        with self._changed:
            self._waiting.append(job)
            self._thread = self._thread or self._started()
            self._changed.notify()

    def put_once(self, job: Callable[[], None]) -> None:
        """Put it unless such a one waits already: that one will see all there is to see."""
        with self._changed:
            if not self._waiting:
                self.put(job)

    def close(self) -> None:
        """Wait for what is left; once given up, what has not begun is left out."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _started(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        thread.start()
        return thread

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                job = self._waiting.popleft()
            if self._given_up.asked:
                _log.error("one of the %s was not run", self._name, extra={"action": "hook-dropped"})
                continue
            try:
                job()
            except Exception:  # whatever a hook does, the next one has its turn
                _log.exception("a hook broke", extra={"action": "hook-failed"})


def _success(scored: Scored) -> dict[str, str]:
    """The event's first score type is the official one; it is combined over the folds."""
    facts = {"RAMPART_STATE": "scored"}
    for name, values in scored.bagged.scores.get("valid", {}).items():
        return facts | {"RAMPART_SCORE": f"{values[-1]:g}", "RAMPART_SCORE_TYPE": name}
    return facts


def _failure(failed: Failed) -> dict[str, str]:
    """A hook may well tell the team, so it learns what the team may know."""
    message = sentence_for_team(failed).encode("utf-8", "replace").decode("utf-8")
    return {
        "RAMPART_STATE": state_of(failed).value,
        "RAMPART_BLAME": failed.blame.value,
        "RAMPART_CAUSE": failed.cause.value,
        "RAMPART_MESSAGE": clipped(log_text.plain(message), head=2000, tail=1000),
    }
