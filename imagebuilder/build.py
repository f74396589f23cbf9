"""Drive one image build from its start to an image."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from contracts.errors import ImageBuildFailed
from contracts.image import BuildState, ImageBuild, ImageReference, ImageStatus
from imagebuilder.build_log import BuildLog
from imagebuilder.ports import Builder

_SHORTEST_PAUSE_S = 0.2
_CANCELLING_S = 60
_WITH_STEPS = frozenset({BuildState.BUILDING, BuildState.TESTING})


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of a build at one moment; `step` is empty while none runs, `lines` are the log's new ones."""

    state: BuildState
    step: str
    elapsed_s: float
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a build may take, how often it is looked at, and by which clock.

    Pauses are a tenth of the time elapsed: a build of seconds ends without delay, one of an hour costs few calls.
    """

    timeout_s: float = 4 * 3600
    longest_pause_s: float = 10
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], object] = Event().wait

    def pause_s(self, elapsed_s: float) -> float:
        """Give the pause before the next look."""
        return min(self.longest_pause_s, max(_SHORTEST_PAUSE_S, elapsed_s / 10))


def build(
    builder: Builder,
    pipeline_arn: str,
    *,
    client_token: str,
    on_progress: Callable[[Progress], None] = lambda _: None,
    patience: Patience | None = None,
) -> ImageReference:
    """Run a pipeline once and give the image.

    Raises ImageBuildFailed with the failing step and the end of the log. A build that takes too long, or during which
    this process is interrupted, is cancelled.
    """
    patience = patience or Patience()
    build_arn = builder.start(pipeline_arn, client_token)
    follower = _Follower(builder, build_arn, on_progress, patience)
    try:
        return follower.follow()
    except KeyboardInterrupt:
        follower.cancel()
        raise


class _Follower:
    """Looks at one build until it is over, keeping the end of its log."""

    def __init__(
        self, builder: Builder, build_arn: str, on_progress: Callable[[Progress], None], patience: Patience
    ) -> None:
        self._builder = builder
        self._arn = build_arn
        self._on_progress = on_progress
        self._patience = patience
        self._began = patience.clock()
        self._token: str | None = None
        self._log = BuildLog()

    def follow(self) -> ImageReference:
        while True:
            build = self._builder.status(self._arn)
            elapsed_s = self._patience.clock() - self._began
            self._tell(build, elapsed_s)
            if build.state.is_over:
                return self._image(build)
            if elapsed_s > self._patience.timeout_s:
                self.cancel()
                raise self._failure(build, f"the image build took longer than {self._patience.timeout_s:.0f} s")
            self._patience.wait(self._patience.pause_s(elapsed_s))

    def cancel(self) -> None:
        """End the build and wait, for a while, until it has ended: only then is its instance gone."""
        self._builder.cancel(self._arn)
        deadline = self._patience.clock() + _CANCELLING_S
        while not self._builder.status(self._arn).state.is_over and self._patience.clock() < deadline:
            self._patience.wait(_SHORTEST_PAUSE_S)

    def _tell(self, build: ImageBuild, elapsed_s: float) -> None:
        page = self._builder.log(build, self._token)
        self._token = page.token
        self._log.read(page.lines)
        self._on_progress(Progress(build.state, self._step(build), elapsed_s, page.lines))

    def _step(self, build: ImageBuild) -> str:
        """The component's step where the log tells one, else the service's own."""
        if build.state not in _WITH_STEPS:
            return ""
        if self._log.here:
            return str(self._log.here)
        step = self._builder.step(self._arn)
        return step.name if step else ""

    def _image(self, build: ImageBuild) -> ImageReference:
        if build.state is BuildState.AVAILABLE and build.image_id:
            status = ImageStatus.TESTED if build.has_tests else ImageStatus.UNTESTED
            return ImageReference(build.image_id, build.image_name, build.started_at, status)
        if build.state is BuildState.CANCELLED:
            raise self._failure(build, "the image build was cancelled")
        if build.state is BuildState.AVAILABLE:
            raise self._failure(build, "the image build ended well but left no image in this region")
        raise self._failure(build, "the image build failed")

    def _failure(self, build: ImageBuild, message: str) -> ImageBuildFailed:
        step = self._builder.step(self._arn)
        own = step.name if step and step.failed else ""
        failed = str(self._log.failed or own)
        why = (step.message if step else "") or build.reason
        parts = [message, f"in {failed}" if failed not in why else "", why]
        hint = f"the whole log: aws logs tail {build.log_group} --log-stream-names {build.log_stream} --since 1d"
        return ImageBuildFailed(
            ": ".join(part for part in parts if part), step=failed, log_tail=self._log.tail, hint=hint
        )
