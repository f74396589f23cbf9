"""A build is started once, followed to its end whatever the end is, and never left running by accident."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import CloudError, ImageBuildFailed, ImageBuildUnderWay
from contracts.image import (
    BuildState,
    BuildStep,
    ComponentFailure,
    ImageBuild,
    ImageReference,
    ImageStatus,
    LogPage,
)
from imagebuilder.building import build as builds
from imagebuilder.building.kept_log import KeptLog

PIPELINE = "arn:aws:imagebuilder:eu-west-3:123456789012:image-pipeline/flowers"
ARN = "arn:aws:imagebuilder:eu-west-3:123456789012:image/flowers/1.0.7/2"
OTHER_ARN = "arn:aws:imagebuilder:eu-west-3:123456789012:image/flowers/1.0.7/1"
START = datetime(2026, 11, 20, tzinfo=UTC)
COMPONENT = "arn:aws:imagebuilder:eu-west-3:123456789012:component/challenge/1.0.7/1"
TRIED = (f"Document {COMPONENT}", "Phase test", "Step Try it", "ExecuteBash: STARTED EXECUTION")
BROKEN = ("Stderr: oh", "ExitCode 3", "ExecuteBash: FAILED EXECUTION", "Step Try it failed: exit code 3")


class MemoryBuilder:
    """A builder whose build goes through the given states, one at each look.

    `lines` are what its log gets by each look; `troubles` are what calls fail with, by verb, one each time. `others`
    are builds of the same pipeline that are under way, first before ours is started, then after.
    """

    def __init__(
        self,
        *states: BuildState,
        lines: Sequence[Sequence[str]] = (),
        image_id: str = "",
        image_name: str = "",
        has_tests: bool = True,
        reason: str = "",
        failure: ComponentFailure | None = None,
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
            log_stream="1.0.7/2",
            failure=failure,
        )
        self.lines = list(lines) or [[f"line {n}"] for n in range(len(states))]
        self.troubles: dict[str, list[BaseException]] = {}
        self.others: list[tuple[ImageBuild, ...]] = []
        self.ends_when_cancelled = True
        self.started: list[tuple[str, str]] = []
        self.cancelled: list[str] = []
        self.looks = 0
        self.log_looks = 0

    def start(self, pipeline_arn: str, client_token: str) -> str:
        self.started.append((pipeline_arn, client_token))
        self._fail("start")
        return ARN

    def under_way(self, pipeline_arn: str) -> tuple[ImageBuild, ...]:
        self._fail("under_way")
        return self.others.pop(0) if self.others else ()

    def status(self, build_arn: str) -> ImageBuild:
        self._fail("status")
        state = self.states[min(self.looks, len(self.states) - 1)]
        self.looks += 1
        if self.cancelled and self.ends_when_cancelled:
            state = BuildState.CANCELLED
        return replace(self.end, state=state) if state.is_over else ImageBuild(build_arn, state, START)

    def cancel(self, build_arn: str) -> None:
        self._fail("cancel")
        self.cancelled.append(build_arn)

    def step(self, build_arn: str) -> BuildStep | None:
        self._fail("step")
        state = self.states[min(self.looks, len(self.states)) - 1]
        failed = state is BuildState.FAILED
        return BuildStep("ApplyBuildComponents", failed, "exit code 3" if failed else "")

    def log(self, build: ImageBuild, token: str | None) -> LogPage:
        self._fail("log")
        first = int(token or 0)
        self.log_looks += 1
        there = self.lines[: max(first, min(self.log_looks, len(self.lines)))]
        return LogPage(tuple(line for page in there[first:] for line in page), str(len(there)))

    def _fail(self, verb: str) -> None:
        if self.troubles.get(verb):
            raise self.troubles[verb].pop(0)


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


class Heard:
    """What is told of a build."""

    def __init__(self, log: KeptLog | None = None, estimate_s: float | None = None) -> None:
        self.progress: list[builds.Progress] = []
        self.sentences: list[str] = []
        self.audience = builds.Audience(self.progress.append, self.sentences.append, log, estimate_s)

    @property
    def lines(self) -> list[str]:
        return [line for progress in self.progress for line in progress.lines]


def patience(clock: Clock, timeout_s: float = 3600, test_timeout_s: float = 3600) -> builds.Patience:
    return builds.Patience(timeout_s=timeout_s, test_timeout_s=test_timeout_s, clock=clock.read, wait=clock.wait)


def interrupting(*at: int) -> builds.Patience:
    """Patience that is interrupted at the given waits, counted from 0."""
    count = iter(range(1000))

    def wait(_: float) -> None:
        if next(count) in at:
            raise KeyboardInterrupt

    return builds.Patience(wait=wait)


def other(state: BuildState = BuildState.BUILDING, arn: str = OTHER_ARN) -> ImageBuild:
    return ImageBuild(arn, state, START - timedelta(minutes=5))


def failed(builder: MemoryBuilder, heard: Heard | None = None, **more: float) -> ImageBuildFailed:
    """The failure that a build ends with."""
    audience = heard.audience if heard else None
    with pytest.raises(ImageBuildFailed) as caught:
        builds.build(builder, PIPELINE, client_token="t", audience=audience, patience=patience(Clock(), **more))
    return caught.value


WAY = (BuildState.PENDING, BuildState.BUILDING, BuildState.TESTING)
THROTTLED = CloudError("could not ask: Rate exceeded", code="CallRateLimitExceededException")
NO_ANSWER = CloudError("could not start: the connection was closed", code="ConnectionClosed", is_uncertain=True)
DENIED = CloudError("could not ask: no", code="AccessDeniedException")


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
    heard = Heard()
    builder = MemoryBuilder(*WAY, BuildState.AVAILABLE, image_id="ami-1")
    builds.build(builder, PIPELINE, client_token="t", audience=heard.audience, patience=patience(Clock()))
    assert [progress.state for progress in heard.progress] == [*WAY, BuildState.AVAILABLE]
    assert [progress.step for progress in heard.progress] == ["", "ApplyBuildComponents", "ApplyBuildComponents", ""]
    assert heard.lines == [f"line {n}" for n in range(4)]
    assert [progress.elapsed_s for progress in heard.progress] == sorted(
        progress.elapsed_s for progress in heard.progress
    )
    assert {progress.left_s for progress in heard.progress} == {None}


def test_progress_tells_the_components_step_and_what_is_left_of_the_time_the_last_build_took() -> None:
    heard = Heard(estimate_s=0.5)
    builder = MemoryBuilder(*WAY, BuildState.AVAILABLE, lines=[[], TRIED], image_id="ami-1")
    builds.build(builder, PIPELINE, client_token="t", audience=heard.audience, patience=patience(Clock()))
    assert [str(progress.place) for progress in heard.progress][1:3] == ["challenge, phase test, step Try it"] * 2
    assert [progress.left_s for progress in heard.progress][:4] == pytest.approx([0.5, 0.3, 0.1, 0])


def test_a_failed_build_tells_step_reason_and_its_last_fifty_lines() -> None:
    lines = [[f"line {30 * look + n}" for n in range(30)] for look in range(4)]
    error = failed(MemoryBuilder(*WAY, BuildState.FAILED, lines=lines, reason="Workflow Execution ID: wf-1 failed"))
    assert error.message == "the image build failed: in ApplyBuildComponents: exit code 3"
    assert error.step == "ApplyBuildComponents"
    assert error.log_tail == tuple(f"line {n}" for n in range(70, 120))
    assert "/aws/imagebuilder/flowers --log-stream-names 1.0.7/2 --since 1d --region eu-west-3" in error.hint


def test_a_components_failure_is_told_by_component_phase_step_and_exit_code() -> None:
    failure = ComponentFailure("challenge", "test", "Try it")
    error = failed(MemoryBuilder(*WAY, BuildState.FAILED, lines=[TRIED, BROKEN], failure=failure))
    assert (error.component, error.phase) == ("challenge", "test")
    assert (error.step, error.step_exit_code) == ("challenge, phase test, step Try it", 3)
    assert error.message == "the image build failed: in challenge, phase test, step Try it: exit code 3"
    assert "Stderr: oh" in error.log_tail
    assert error.exit_code == 1


def test_a_known_cause_comes_with_its_remedy() -> None:
    full = [*TRIED, "Stderr: tee: x: No space left on device", *BROKEN[1:]]
    error = failed(MemoryBuilder(*WAY, BuildState.FAILED, lines=[full]))
    assert error.hint.startswith("the builder's disk is full: raise infra.image.volume_gib; the whole log:")


def test_the_whole_log_is_kept_in_a_file_that_the_failure_names(tmp_path: Path) -> None:
    path = tmp_path / "image-builds" / "one.log"
    with KeptLog(path) as log:
        error = failed(MemoryBuilder(*WAY, BuildState.FAILED, lines=[TRIED, BROKEN]), Heard(log))
    assert path.read_text().splitlines() == [*TRIED, *BROKEN]
    assert error.log_file == path
    assert f"the whole log: {path}, or: aws logs tail" in error.hint


def test_lines_that_come_after_the_end_are_waited_for_until_they_show_the_failure() -> None:
    heard, clock = Heard(), Clock()
    builder = MemoryBuilder(
        BuildState.FAILED, lines=[TRIED, [], [], BROKEN], failure=ComponentFailure("challenge", "test", "Try it")
    )
    with pytest.raises(ImageBuildFailed) as caught:
        builds.build(builder, PIPELINE, client_token="t", audience=heard.audience, patience=patience(clock))
    assert caught.value.step_exit_code == 3
    assert heard.lines == [*TRIED, *BROKEN]
    assert clock.now < 5


def test_a_log_that_never_comes_does_not_hold_the_end_up_for_long() -> None:
    clock = Clock()
    builder = MemoryBuilder(BuildState.FAILED, lines=[[]], failure=ComponentFailure("challenge", "test", "Try it"))
    with pytest.raises(ImageBuildFailed, match="challenge, phase test, step Try it"):
        builds.build(builder, PIPELINE, client_token="t", patience=patience(clock))
    assert clock.now <= 20


def test_a_log_that_cannot_be_read_is_told_once_and_the_build_goes_on() -> None:
    heard = Heard()
    builder = MemoryBuilder(*WAY, BuildState.AVAILABLE, image_id="ami-1")
    builder.troubles["log"] = [DENIED, DENIED, DENIED, DENIED]
    builds.build(builder, PIPELINE, client_token="t", audience=heard.audience, patience=patience(Clock()))
    assert heard.sentences == ["the build's log cannot be read for now: could not ask: no"]


@pytest.mark.parametrize(
    ("state", "message"), [(BuildState.CANCELLED, "cancelled"), (BuildState.AVAILABLE, "no image in this region")]
)
def test_a_build_that_ends_without_an_image_is_a_failure(state: BuildState, message: str) -> None:
    assert message in failed(MemoryBuilder(state)).message


def test_a_build_past_its_time_is_cancelled_and_told_where_it_stood() -> None:
    builder = MemoryBuilder(BuildState.BUILDING)
    error = failed(builder, timeout_s=60)
    assert "longer than 60 s and stood at BUILDING, ApplyBuildComponents" in error.message
    assert builder.cancelled == [ARN]


def test_a_test_phase_past_its_own_time_is_cancelled_though_the_build_has_time() -> None:
    builder = MemoryBuilder(BuildState.BUILDING, BuildState.TESTING)
    assert "test phase took longer than 30 s" in failed(builder, test_timeout_s=30).message
    assert builder.cancelled == [ARN]


def test_a_build_that_does_not_end_when_cancelled_is_not_waited_for_without_end() -> None:
    clock = Clock()
    builder = MemoryBuilder(BuildState.BUILDING)
    builder.ends_when_cancelled = False
    with pytest.raises(ImageBuildFailed, match=r"longer than .* and is still being cancelled"):
        builds.build(builder, PIPELINE, client_token="t", patience=patience(clock, timeout_s=60))
    assert clock.now < 150


def test_an_interrupted_build_is_cancelled() -> None:
    heard, builder = Heard(), MemoryBuilder(BuildState.BUILDING)
    with pytest.raises(KeyboardInterrupt):
        builds.build(builder, PIPELINE, client_token="t", audience=heard.audience, patience=interrupting(0))
    assert builder.cancelled == [ARN]
    assert heard.sentences == [f"cancelling the build {ARN} (once more to leave at once)"]


def test_a_second_interruption_leaves_at_once_and_tells_how_to_cancel() -> None:
    heard, builder = Heard(), MemoryBuilder(BuildState.BUILDING)
    builder.ends_when_cancelled = False
    with pytest.raises(KeyboardInterrupt):
        builds.build(builder, PIPELINE, client_token="t", audience=heard.audience, patience=interrupting(0, 1))
    assert heard.sentences[-1].endswith(f"aws imagebuilder cancel-image-creation --image-build-version-arn {ARN}")


def test_a_build_that_is_interrupted_while_it_is_started_is_found_by_its_token_and_cancelled() -> None:
    builder = MemoryBuilder(BuildState.BUILDING)
    builder.troubles["start"] = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    assert builder.started == [(PIPELINE, "t")] * 2
    assert builder.cancelled == [ARN]


def test_an_answer_that_is_lost_is_asked_for_again_with_the_same_token() -> None:
    builder = MemoryBuilder(BuildState.AVAILABLE, image_id="ami-1")
    builder.troubles["start"] = [NO_ANSWER, NO_ANSWER]
    builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    assert builder.started == [(PIPELINE, "t")] * 3


def test_a_pipeline_that_builds_already_is_not_started_again_and_the_running_build_is_named() -> None:
    builder = MemoryBuilder(BuildState.AVAILABLE)
    builder.others = [(other(),)]
    with pytest.raises(ImageBuildUnderWay, match=f"since 2026-11-19 23:55:00Z: {OTHER_ARN}") as caught:
        builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    assert builder.started == []
    assert f"cancel-image-creation --image-build-version-arn {OTHER_ARN}" in caught.value.hint


@pytest.mark.parametrize(("order", "stays"), [((OTHER_ARN, ARN), False), ((ARN, OTHER_ARN), True)])
def test_of_two_builds_started_at_one_moment_the_older_stays(order: tuple[str, str], stays: bool) -> None:
    builder = MemoryBuilder(BuildState.AVAILABLE, image_id="ami-1")
    builder.others = [(), tuple(other(arn=arn) for arn in order)]
    if stays:
        builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    else:
        with pytest.raises(ImageBuildUnderWay, match=OTHER_ARN):
            builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    assert builder.cancelled == ([] if stays else [ARN])


@pytest.mark.parametrize("verb", ["under_way", "start", "status"])
def test_throttling_ends_no_build(verb: str) -> None:
    builder = MemoryBuilder(*WAY, BuildState.AVAILABLE, image_id="ami-1")
    builder.troubles[verb] = [THROTTLED] * 20
    assert builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock())).image_id == "ami-1"


def test_an_api_that_throttles_for_ever_is_given_up_and_the_build_named() -> None:
    clock, builder = Clock(), MemoryBuilder(BuildState.BUILDING)
    builder.troubles["status"] = [THROTTLED] * 10_000
    with pytest.raises(CloudError, match=f"Rate exceeded; the image build goes on: {ARN}"):
        builds.build(builder, PIPELINE, client_token="t", patience=patience(clock))
    assert 600 <= clock.now < 700


def test_a_build_that_may_not_be_looked_at_is_named_at_once() -> None:
    builder = MemoryBuilder(BuildState.BUILDING)
    builder.troubles["status"] = [DENIED]
    with pytest.raises(CloudError, match="the image build goes on") as caught:
        builds.build(builder, PIPELINE, client_token="t", patience=patience(Clock()))
    assert "cancel-image-creation" in caught.value.hint


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
