"""A build is shown in lines a person can read, each moment once."""

from __future__ import annotations

import pytest

from contracts.image import BuildState
from imagebuilder.building.build import Progress
from tasks import image_building


@pytest.mark.parametrize(
    ("progress", "estimate_s", "line"),
    [
        (Progress(BuildState.PENDING, "", 0.4), None, "  0.4 s  pending"),
        (
            Progress(BuildState.BUILDING, "base, phase build, step Install", 75),
            None,
            "   75 s  building: base, phase build, step Install",
        ),
        (
            Progress(BuildState.TESTING, "", 300, left_s=720),
            1020,
            "  5 min  testing  (about 12 min left: the last build took 17 min)",
        ),
        (
            Progress(BuildState.TESTING, "", 1200, left_s=0),
            1020,
            " 20 min  testing  (longer than expected: the last build took 17 min)",
        ),
        (Progress(BuildState.AVAILABLE, "", 1200, left_s=0), 1020, " 20 min  available"),
        (Progress(BuildState.TESTING, "", 20, left_s=39), 59, "   20 s  testing"),
        (Progress(BuildState.TESTING, "", 80, left_s=0), 59, "   80 s  testing"),
    ],
)
def test_a_moment_is_told_with_its_time_its_step_and_what_is_left(
    progress: Progress, estimate_s: float | None, line: str
) -> None:
    assert image_building.sentences(estimate_s, repeats=False)(progress) == line


@pytest.mark.parametrize(("repeats", "times"), [(False, 1), (True, 3)])
def test_that_it_takes_longer_is_told_once_unless_each_line_replaces_the_one_before(repeats: bool, times: int) -> None:
    sentence = image_building.sentences(60, repeats=repeats)
    lines = [sentence(Progress(BuildState.TESTING, "", elapsed_s, left_s=0)) for elapsed_s in (61, 62, 63)]
    assert sum("longer than expected" in line for line in lines) == times
