"""Tell who listens how a bake goes, and what failed, as of a build by Image Builder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import ImageBuildFailed, RampartError
from contracts.image import BuildState
from imagebuilder.building import causes
from imagebuilder.building.build_log import BuildLog, Place
from imagebuilder.building.following import Audience, Progress

COMPONENT = "bake"
"""What the log calls the steps that are no component's."""


class Told:
    """The log and the progress of one bake; `clock` is monotonic, in seconds."""

    def __init__(self, audience: Audience, clock: Callable[[], float]) -> None:
        self._audience = audience
        self._clock = clock
        self._began = clock()
        self._state = BuildState.PENDING
        self._log = BuildLog()
        self._over: Place | None = None

    def move(self, state: BuildState) -> None:
        """Come to the next state."""
        self._state = state
        self._over = self._log.here
        self._look()

    def line(self, text: str) -> None:
        """Take one line of the log."""
        self._log.read((text,))
        if self._audience.log:
            self._audience.log.write((text,))
        self._look((text,))

    def still(self) -> None:
        """Say that it goes on."""
        self._look()

    @contextmanager
    def step(self, phase: str, name: str) -> Iterator[None]:
        """Do in the block what is no component's step; it looks like one in the log, and so does its failure."""
        for text in (f"Document {COMPONENT}", f"Phase {phase}", f"Step {name}", "Bake: STARTED EXECUTION"):
            self.line(text)
        try:
            yield
        except RampartError as error:
            for text in error.message.splitlines():
                self.line(f"Stderr: {text}")
            self.line("Bake: FAILED EXECUTION")
            self.line(f"Step {name} failed: {error.message}")
            raise
        self.line("Bake: FINISHED EXECUTION")
        self._over = self._log.here

    def failure(self, error: RampartError) -> ImageBuildFailed:
        """What to raise for what ended the bake: the failing step, the end of its log, and where all of it is."""
        place = self._log.failed or self._here
        where = str(place) if place else ""
        parts = ("the image build failed", f"in {where}" if where else "", error.message)
        cause = causes.cause_of((*self._log.tail, error.message))
        hints = (str(cause) if cause else "", error.hint, self._where_the_log_is())
        return ImageBuildFailed(
            ": ".join(part for part in parts if part),
            component=place.component if place else "",
            phase=place.phase if place else "",
            step=where,
            step_exit_code=self._log.exit_code,
            log_tail=self._log.tail,
            log_file=self._log_file,
            hint="; ".join(hint for hint in hints if hint),
        )

    def _look(self, lines: tuple[str, ...] = ()) -> None:
        elapsed_s, estimate_s = self._clock() - self._began, self._audience.estimate_s
        left_s = None if estimate_s is None else max(0.0, estimate_s - elapsed_s)
        place = self._here
        self._audience.progress(Progress(self._state, str(place or ""), elapsed_s, lines, place, left_s))

    @property
    def _here(self) -> Place | None:
        """The step that runs: the log names one until the next begins."""
        return None if self._log.here is self._over else self._log.here

    @property
    def _log_file(self) -> Path | None:
        kept = self._audience.log
        return kept.path if kept and not kept.trouble else None

    def _where_the_log_is(self) -> str:
        return f"the whole log: {self._log_file}" if self._log_file else ""
