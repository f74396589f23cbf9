"""Follow one image build until it is over, whatever the end is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypeVar

from clients.aws.pacing import THROTTLED
from contracts.errors import CloudError, ImageBuildFailed
from contracts.image import BuildState, ImageBuild, ImageReference, ImageStatus
from imagebuilder.building import causes
from imagebuilder.building.build_log import BuildLog, Place
from imagebuilder.building.kept_log import KeptLog
from imagebuilder.ports import Builder

T = TypeVar("T")

_SHORTEST_PAUSE_S = 0.2
_CANCELLING_S = 60
_DRAINING_PAUSE_S = 1.0
_LONGEST_REASON = 400
_WITH_STEPS = frozenset({BuildState.BUILDING, BuildState.TESTING})
_UNREACHABLE = "EndpointConnection"


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a build at one moment; `lines` are the log's new ones.

    `step` is empty while none runs; `place` tells it apart where it is a component's. `left_s` is what the last build
    lets expect, None where there is none to go by, 0 where this one takes longer.
    """

    state: BuildState
    step: str
    elapsed_s: float
    lines: tuple[str, ...] = ()
    place: Place | None = None
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a build may take, how often it is looked at, and by which clock.

    `test_timeout_s` is for its test phase, `trouble_s` for an API that throttles or does not answer, `draining_s` for
    the end of a log that comes late. Pauses are a tenth of the time elapsed: a build of seconds ends without delay, one
    of an hour costs few calls.
    """

    timeout_s: float = 4 * 3600
    test_timeout_s: float = 4 * 3600
    trouble_s: float = 600
    draining_s: float = 15
    longest_pause_s: float = 10
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], object] = Event().wait

    def pause_s(self, elapsed_s: float) -> float:
        """Give the pause before the next look."""
        return min(self.longest_pause_s, max(_SHORTEST_PAUSE_S, elapsed_s / 10))

    def asking(self, ask: Callable[[], T]) -> T:
        """Ask, again and again while the API throttles or does not answer. Raises CloudError for anything else.

        What is asked must do no harm when it is done twice.
        """
        began = self.clock()
        while True:
            try:
                return ask()
            except CloudError as error:
                elapsed_s = self.clock() - began
                if not _is_passing(error) or elapsed_s >= self.trouble_s:
                    raise
                self.wait(self.pause_s(elapsed_s))


@dataclass(frozen=True, slots=True)
class Audience:
    """Who hears of a build: `progress` at each look, `tell` a sentence now and then, `log` every line of its log.

    `estimate_s` is how long the last build took.
    """

    progress: Callable[[Progress], None] = lambda _: None
    tell: Callable[[str], None] = lambda _: None
    log: KeptLog | None = None
    estimate_s: float | None = None


class Follower:
    """Looks at one build until it is over, keeping the end of its log."""

    def __init__(self, builder: Builder, build_arn: str, audience: Audience, patience: Patience) -> None:
        self._builder = builder
        self._arn = build_arn
        self._audience = audience
        self._patience = patience
        self._began = patience.clock()
        self._testing_since: float | None = None
        self._token: str | None = None
        self._log = BuildLog()
        self._log_trouble = ""
        self._step = ""

    def follow(self) -> ImageReference:
        """Wait for the image. Raises ImageBuildFailed; CloudError where it can be followed no more."""
        while True:
            build = self._patience.asking(lambda: self._builder.status(self._arn))
            # in this order: what is in the log by the end of the build has been read by then
            self._look(build)
            if build.state.is_over:
                return self._image(build)
            if reason := self._overdue(build):
                is_over = self.cancel()
                raise self._failure(build, reason if is_over else f"{reason}, and is still being cancelled")
            self._patience.wait(self._patience.pause_s(self._elapsed_s))

    def cancel(self) -> bool:
        """End the build and wait, for a while, until it has ended: only then is its instance gone. Tells whether."""
        self._patience.asking(lambda: self._builder.cancel(self._arn))
        deadline = self._patience.clock() + _CANCELLING_S
        while not self._patience.asking(lambda: self._builder.status(self._arn)).state.is_over:
            if self._patience.clock() >= deadline:
                return False
            self._patience.wait(_SHORTEST_PAUSE_S)
        return True

    @property
    def _elapsed_s(self) -> float:
        return self._patience.clock() - self._began

    def _look(self, build: ImageBuild) -> None:
        lines = self._new_lines(build)
        elapsed_s, estimate_s = self._elapsed_s, self._audience.estimate_s
        left_s = None if estimate_s is None else max(0.0, estimate_s - elapsed_s)
        place = self._log.here if build.state in _WITH_STEPS else None
        step = str(place) if place else self._own_step(build)
        self._step = step
        self._audience.progress(Progress(build.state, step, elapsed_s, lines, place, left_s))

    def _new_lines(self, build: ImageBuild) -> tuple[str, ...]:
        """Read on in the log. A log that cannot be read is no reason to end a build, which goes on without."""
        try:
            page = self._builder.log(build, self._token)
        except CloudError as error:
            if not self._log_trouble:
                self._audience.tell(f"the build's log cannot be read for now: {error.message}")
            self._log_trouble = error.message
            return ()
        self._log_trouble = ""
        self._token = page.token
        self._log.read(page.lines)
        if self._audience.log:
            self._audience.log.write(page.lines)
        return page.lines

    def _own_step(self, build: ImageBuild) -> str:
        """The step of the service's own workflow, where the log tells no component's."""
        if build.state not in _WITH_STEPS:
            return ""
        try:
            step = self._builder.step(self._arn)
        except CloudError:
            return ""  # nothing depends on it
        return step.name if step else ""

    def _overdue(self, build: ImageBuild) -> str:
        """What has taken too long, in words; empty where nothing has."""
        now, patience = self._patience.clock(), self._patience
        if build.state is not BuildState.TESTING:
            self._testing_since = None
        elif self._testing_since is None:
            self._testing_since = now
        if self._testing_since is not None and now - self._testing_since > patience.test_timeout_s:
            return f"the image's test phase took longer than {patience.test_timeout_s:.0f} s"
        if self._elapsed_s > patience.timeout_s:
            where = f"{build.state.value}, {self._step}" if self._step else build.state.value
            return f"the image build took longer than {patience.timeout_s:.0f} s and stood at {where}"
        return ""

    def _image(self, build: ImageBuild) -> ImageReference:
        self._drain(build)
        if build.state is BuildState.AVAILABLE and build.image_id:
            status = ImageStatus.TESTED if build.has_tests else ImageStatus.UNTESTED
            return ImageReference(build.image_id, build.image_name, build.started_at, status)
        if build.state is BuildState.CANCELLED:
            raise self._failure(build, "the image build was cancelled")
        if build.state is BuildState.AVAILABLE:
            raise self._failure(build, "the image build ended well but left no image in this region")
        raise self._failure(build, "the image build failed")

    def _drain(self, build: ImageBuild) -> None:
        """Read what the log gets after the build's end: CloudWatch shows lines some seconds late."""
        deadline = self._patience.clock() + self._patience.draining_s
        while self._lags(build) and self._patience.clock() < deadline:
            self._patience.wait(_DRAINING_PAUSE_S)
            self._look(build)

    def _lags(self, build: ImageBuild) -> bool:
        """Whether the log lacks its end, as far as one can tell: a step speaks on, or the one that failed has not."""
        if build.state is BuildState.AVAILABLE:
            return self._log.here is not None
        return build.failure is not None and not self._log.shows_failure_of(_place(build))

    def _failure(self, build: ImageBuild, message: str) -> ImageBuildFailed:
        own = self._failed_step()
        if build.failure:
            self._log.blame(_place(build))
        place = self._log.failed
        failed = str(place) if place else own[0]
        why = " ".join((own[1] or build.reason).split())[:_LONGEST_REASON]
        parts = [message, f"in {failed}" if failed not in why else "", why]
        cause = causes.cause_of((*self._log.tail, why))
        return ImageBuildFailed(
            ": ".join(part for part in parts if part),
            component=place.component if place else "",
            phase=place.phase if place else "",
            step=failed,
            step_exit_code=self._log.exit_code,
            log_tail=self._log.tail,
            log_file=self._log_file(),
            hint="; ".join(filter(None, (str(cause) if cause else "", self._where_the_log_is(build)))),
        )

    def _failed_step(self) -> tuple[str, str]:
        """Name and message of the workflow's failed step, as far as the service tells."""
        try:
            step = self._patience.asking(lambda: self._builder.step(self._arn))
        except CloudError:
            return "", ""
        return (step.name if step.failed else "", step.message) if step else ("", "")

    def _log_file(self) -> Path | None:
        kept = self._audience.log
        return kept.path if kept and kept.is_kept else None

    def _where_the_log_is(self, build: ImageBuild) -> str:
        kept = self._log_file()
        region = self._arn.split(":")[3]
        there = f"aws logs tail {build.log_group} --log-stream-names {build.log_stream} --since 1d --region {region}"
        return f"the whole log: {kept}, or: {there}" if kept else f"the whole log: {there}"


def _place(build: ImageBuild) -> Place:
    failure = build.failure
    return Place(failure.component, failure.phase, failure.step) if failure else Place("", "", "")


def _is_passing(error: CloudError) -> bool:
    """Whether asking again later may well be answered."""
    return error.code in THROTTLED or error.code == _UNREACHABLE or error.is_uncertain
