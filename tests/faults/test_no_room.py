"""A result for which there is no room is fetched again: half a result is never seen."""

from __future__ import annotations

from tests.faults.conftest import Rehearse
from tests.faults.troubles import Trouble


def test_a_result_that_finds_the_disk_full_is_pulled_again_and_leaves_nothing_half_written(rehearse: Rehearse) -> None:
    event = rehearse(n_workers=1)
    (one,) = event.submit("one")
    said = event.dispatcher(Trouble.DISK_FULL).await_end()
    assert "no room to pull a result" in said
    assert event.runs() == [(1, "scored")]
    assert event.trainings() == {f"submission_{one:09d}": 1}
    assert [path.name for path in event.event.ramp.predictions_dir.iterdir()] == [f"submission_{one:09d}"]
