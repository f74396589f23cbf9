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
    ],
)
def test_a_moment_is_told_with_its_time_its_step_and_what_is_left(
    progress: Progress, estimate_s: float | None, line: str
) -> None:
    assert image_building.sentence(progress, estimate_s) == line
