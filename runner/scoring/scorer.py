"""Score an event's runs on this machine, by one warm process that holds its kit."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from contracts.errors import KitChanged, KitInvalid
from runner.job.supervisor.environment import THREAD_VARIABLES
from runner.scoring import bundle
from runner.scoring.bundle import Bundle, KitFolders
from runner.scoring.conversation import Conversation, Lost, Silent
from runner.scoring.placing import place

_log = logging.getLogger(__name__)
_SCRIPT = Path(__file__).with_name("process.py")
_LOOK_S = 2.0  # how long it may take until a change of the kit is noticed

Wrap = Callable[[Sequence[str]], Sequence[str]]
"""Puts what confines a process in front of its command line."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the process may take, in seconds: to read the kit, to pack its data, to score one run."""

    read_s: float = 300.0
    pack_s: float = 300.0
    score_s: float = 600.0


@dataclass(slots=True)
class _Held:
    """A process with the kit as it was when it was read; `about` None while it has not said anything yet."""

    conversation: Conversation
    stamp: str
    about: dict[str, Any] | None = None
    kept: Path | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Why the kit, in one state, cannot be scored here."""

    stamp: str
    reason: str


class KitScorer:
    """Keeps the process, and starts it again where it died or the kit changed. For any number of threads.

    `python` is that of the kit's environment; `keeps` is a folder for what jobs are given. `demanded`: a kit that does
    not allow it is an error, else such runs are scored on their hosts, and `warn` is called with the reason.
    """

    def __init__(
        self,
        kit: KitFolders,
        python: str,
        keeps: Path,
        *,
        demanded: bool = False,
        warn: Callable[[str], None] = lambda _: None,
        n_threads: int | None = None,
        limits: Limits | None = None,
        wrap: Wrap = lambda argv: argv,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kit = kit
        self._argv = tuple(wrap((python, "-B", str(_SCRIPT), str(kit.kit), str(kit.data))))
        self._environ = process_environment(python, n_threads)
        self._keeps = keeps
        self._demanded = demanded
        self._warn = warn
        self._limits = limits or Limits()
        self._clock = clock
        self._lock = threading.RLock()
        self._held: _Held | None = None
        self._verdict: _Verdict | None = None
        self._allowed_stamp = ""
        self._looked: tuple[float, str] | None = None

    def start(self) -> None:
        """Let the kit be read; does not wait for that."""
        with self._lock:
            if self._held is None:
                try:
                    self._held = self._begun(self._stamp())
                except (KitInvalid, Lost) as error:
                    _log.debug("the scoring process was not started: %s", error)  # who needs it starts it again

    def refusal(self) -> str:
        """Why the kit cannot be scored here, in one clause; empty where it can. Waits until the kit is read."""
        with self._lock:
            try:
                self._ready()
            except KitInvalid as error:
                return error.message
        return ""

    def bundle(self) -> Bundle | None:
        """Give what a job needs to predict; None where the kit does not allow it.

        Raises KitInvalid where that was demanded, or where the kit has been served so and cannot be read any more.
        """
        with self._lock:
            try:
                held = self._ready()
                if held.kept is None or not held.kept.is_dir():
                    held.kept = self._kept(held)
                bundle.touch(held.kept)
            except KitInvalid:
                if self._demanded or self._allowed_stamp == self._stamp():
                    raise
                return None
            assert held.about is not None  # noqa: S101 - it is ready
            return Bundle(str(held.about["labels"]), held.kept)

    def score(self, output_dir: Path, labels: str, times: Sequence[Sequence[float]]) -> str:
        """Write the scores of a run's predictions beside them, as ramp-test does.

        `times` are the seconds of each fold's training, validating and testing. Gives why the predictions cannot be
        scored, in one clause, empty where they are. Raises KitChanged where the labels are no longer `labels`,
        KitInvalid where the kit itself fails.
        """
        question = {"verb": "score", "folder": str(output_dir), "times": [list(seconds) for seconds in times]}
        with self._lock:
            answer = self._asked(question, labels)
        if "refused" in answer:
            return str(answer["refused"])
        if "broken" in answer:
            raise KitInvalid(f"the kit could not score a run: {answer['broken']}", hint="look at its score types")
        place(output_dir, [str(table) for table in answer["folds"]], str(answer["bagged"]))
        return ""

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._let_go()

    def _asked(self, question: Mapping[str, Any], labels: str) -> dict[str, Any]:
        """Ask, and once more where the process dies of it."""
        for _ in range(2):
            try:
                held = self._ready()
            except KitInvalid as error:
                raise KitChanged(f"the kit cannot be scored here any more: {error.message}") from error
            assert held.about is not None  # noqa: S101 - it is ready
            if held.about["labels"] != labels:
                raise KitChanged("the kit's labels or folds were changed while the submission ran")
            try:
                return held.conversation.ask(question, self._limits.score_s)
            except Lost as error:
                reason = str(error)
                _log.error("the scoring process was lost: %s", reason, extra={"action": "scoring-lost"})
                self._let_go()
                if isinstance(error, Silent):
                    break
        raise KitInvalid(f"the kit could not score a run: {reason}", hint="look at its score types")

    def _ready(self) -> _Held:
        """The process that has read the kit as it is now. Raises KitInvalid where it cannot be scored here."""
        stamp = self._stamp()
        if self._held is not None and (self._held.stamp != stamp or self._held.conversation.is_over):
            self._let_go()
        if self._held is None or self._held.about is None:
            if self._verdict is None or self._verdict.stamp != stamp:
                self._verdict = self._read(stamp)
            if self._verdict is not None:
                self._let_go()
                raise KitInvalid(self._verdict.reason, hint="docs/how-to/score-on-the-server.md tells what it needs")
        assert self._held is not None  # noqa: S101 - it was read
        return self._held

    def _read(self, stamp: str) -> _Verdict | None:
        """Have the kit read, and once more where that is broken off; gives what is to be said against it."""
        reason = ""
        for _ in range(2):
            try:
                self._kit.files()
                if self._held is None:
                    self._held = self._begun(stamp)
                about = self._held.conversation.answer(self._limits.read_s)
            except KitInvalid as error:
                return self._against(stamp, error.message)
            except Lost as error:
                reason = f"it cannot be read: {error}"
                self._let_go()
                continue
            if "not_allowed" in about:
                return self._against(stamp, str(about["not_allowed"]))
            self._held.about = about
            self._allowed_stamp = stamp
            return None
        return self._against(stamp, reason)

    def _against(self, stamp: str, reason: str) -> _Verdict:
        if not self._demanded and self._allowed_stamp != stamp:
            self._warn(reason)
        return _Verdict(stamp, reason)

    def _kept(self, held: _Held) -> Path:
        def write(file: BinaryIO) -> None:
            answer = held.conversation.ask({"verb": "pack"}, self._limits.pack_s)
            held.conversation.take(int(answer["bytes"]), file, self._limits.pack_s)

        assert held.about is not None  # noqa: S101 - it is ready
        try:
            return bundle.keep(self._keeps, self._kit, held.about["read"], write)
        except Lost as error:
            self._let_go()
            raise KitInvalid(f"the kit's data could not be packed: {error}") from error

    def _begun(self, stamp: str) -> _Held:
        return _Held(Conversation(self._argv, self._environ, self._kit.kit), stamp)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.conversation.end()
            self._held = None

    def _stamp(self) -> str:
        now = self._clock()
        if self._looked is None or now - self._looked[0] >= _LOOK_S:
            self._looked = (now, self._kit.stamp())
        return self._looked[1]


def process_environment(python: str, n_threads: int | None) -> dict[str, str]:
    """All the process may know: nothing of this one's environment is handed on but where its home is.

    Sums are taken by as many threads as in a job, for their number shows in the last digit.
    """
    environ = {
        "PATH": f"{Path(python).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": os.path.expanduser("~"),  # noqa: PTH111 - where there is none it stays as it is
        "LANG": "C.UTF-8",
    }
    return environ | {name: str(n_threads or 1) for name in THREAD_VARIABLES}
