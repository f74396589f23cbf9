"""A build is followed to its end, whatever the end is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contracts.errors import ImageBuildFailed
from contracts.image import BuildState, BuildStep, ImageBuild, ImageReference, ImageStatus, LogPage
from imagebuilder import build as builds

PIPELINE = "arn:aws:imagebuilder:eu-west-3:123456789012:image-pipeline/flowers"
ARN = "arn:aws:imagebuilder:eu-west-3:123456789012:image/flowers/1.0.7/1"
START = datetime(2026, 11, 20, tzinfo=UTC)


class MemoryBuilder:
    """A builder whose build goes through the given states, one at each look."""

    def __init__(
        self,
        *states: BuildState,
        lines_per_look: int = 1,
        image_id: str = "",
        image_name: str = "",
        has_tests: bool = True,
        reason: str = "",
    ) -> None:
        self.states = list(states)
        self.end = ImageBuild(
            ARN,
            self.states[-1],
            START,
            reason,
            image_id,
            image_name,
            has_tests,
            log_group="/aws/imagebuilder/flowers",
            log_stream="1.0.7/1",
        )
        self.lines_per_look = lines_per_look
        self.ends_when_cancelled = True
        self.started: list[tuple[str, str]] = []
        self.cancelled: list[str] = []
        self.looks = 0

    def start(self, pipeline_arn: str, client_token: str) -> str:
        self.started.append((pipeline_arn, client_token))
        return ARN

    def status(self, build_arn: str) -> ImageBuild:
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        if self.cancelled and self.ends_when_cancelled:
            state = BuildState.CANCELLED
        return replace(self.end, state=state) if state.is_over else ImageBuild(build_arn, state, START)

    def cancel(self, build_arn: str) -> None:
        self.cancelled.append(build_arn)

    def step(self, build_arn: str) -> BuildStep | None:
        state = self.states[min(self.looks, len(self.states)) - 1]
        failed = state is BuildState.FAILED
        return BuildStep("ApplyBuildComponents", failed, "exit code 3" if failed else "")

    def log(self, build: ImageBuild, token: str | None) -> LogPage:
        first = int(token or 0)
        lines = tuple(f"line {first + n}" for n in range(self.lines_per_look))
        return LogPage(lines, str(first + self.lines_per_look))


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def read(self) -> float:
        return self.now

    def wait(self, pause_s: float) -> None:
        self.pauses.append(pause_s)
        self.now += pause_s


def patience(clock: Clock, timeout_s: float = 3600) -> builds.Patience:
    return builds.Patience(timeout_s=timeout_s, clock=clock.read, wait=clock.wait)


WAY = (BuildState.PENDING, BuildState.BUILDING, BuildState.TESTING)


def test_a_build_that_ends_well_gives_its_image() -> None:
    builder = MemoryBuilder(*WAY, BuildState.AVAILABLE, image_id="ami-1", image_name="flowers-backend 2026")
    image = builds.build(builder, PIPELINE, client_token="t1", patience=patience(Clock()))
    assert image == ImageReference("ami-1", "flowers-backend 2026", START, ImageStatus.TESTED)
    assert builder.started == [(PIPELINE, "t1")]
    assert not builder.cancelled


def test_an_image_whose_pipeline_has_no_tests_is_not_called_tested() -> None:
    builder = MemoryBuilder(BuildState.AVAILABLE, image_id="ami-1", has_tests=False)
    built = builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    assert built.status is ImageStatus.UNTESTED


def test_progress_tells_state_step_time_and_each_log_line_once() -> None:
    told: list[builds.Progress] = []
    builder = MemoryBuilder(*WAY, BuildState.AVAILABLE, image_id="ami-1")
    builds.build(builder, PIPELINE, client_token="t", on_progress=told.append, patience=patience(Clock()))
    assert [progress.state for progress in told] == [*WAY, BuildState.AVAILABLE]
    assert [progress.step for progress in told] == ["", "ApplyBuildComponents", "ApplyBuildComponents", ""]
    assert [line for progress in told for line in progress.lines] == [f"line {n}" for n in range(4)]
    assert [progress.elapsed_s for progress in told] == sorted(progress.elapsed_s for progress in told)


def test_a_failed_build_tells_step_reason_and_its_last_fifty_lines() -> None:
    builder = MemoryBuilder(*WAY, BuildState.FAILED, lines_per_look=30, reason="Workflow Execution ID: wf-1 failed")
    with pytest.raises(ImageBuildFailed, match="in ApplyBuildComponents: exit code 3") as caught:
        builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    assert caught.value.step == "ApplyBuildComponents"
    assert caught.value.log_tail == tuple(f"line {n}" for n in range(70, 120))
    assert "/aws/imagebuilder/flowers --log-stream-names 1.0.7/1" in caught.value.hint


@pytest.mark.parametrize(
    ("state", "message"), [(BuildState.CANCELLED, "cancelled"), (BuildState.AVAILABLE, "no image in this region")]
)
def test_a_build_that_ends_without_an_image_is_a_failure(state: BuildState, message: str) -> None:
    with pytest.raises(ImageBuildFailed, match=message):
        builds.build(MemoryBuilder(state), PIPELINE, client_token="t", patience=patience(Clock()))


def test_a_build_past_its_time_is_cancelled() -> None:
    builder = MemoryBuilder(BuildState.BUILDING)
    with pytest.raises(ImageBuildFailed, match="longer than 60 s"):
        builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock(), timeout_s=60))
    assert builder.cancelled == [ARN]


def test_an_interrupted_build_is_cancelled() -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    builder = MemoryBuilder(BuildState.BUILDING)
    with pytest.raises(KeyboardInterrupt):
        builds.build(builder, PIPELINE, client_token="t", patience=builds.Patience(wait=interrupt))
    assert builder.cancelled == [ARN]


def test_a_build_that_does_not_end_when_cancelled_is_not_waited_for_without_end() -> None:
    clock = Clock()
    builder = MemoryBuilder(BuildState.BUILDING)
    builder.ends_when_cancelled = False
    with pytest.raises(ImageBuildFailed, match="longer than"):
        builds.build(builder, PIPELINE, client_token="t", patience=patience(clock, timeout_s=60))
    assert clock.now < 150


def test_pauses_grow_with_the_build_so_that_a_short_one_ends_without_delay() -> None:
    pause_s: Callable[[float], float] = builds.Patience().pause_s
    assert [pause_s(elapsed_s) for elapsed_s in (0, 1, 10, 60, 3600)] == [0.2, 0.2, 1, 6, 10]


def under_way() -> Iterator[BuildState]:
    return (state for state in BuildState if not state.is_over)


def test_only_the_six_states_of_a_running_build_are_not_its_end() -> None:
    assert [state.value for state in under_way()] == [
        "PENDING",
        "CREATING",
        "BUILDING",
        "TESTING",
        "DISTRIBUTING",
        "INTEGRATING",
    ]
