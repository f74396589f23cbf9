"""A result that cannot be fetched whole is fetched again: half a result is never seen."""

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


def test_a_result_whose_transfer_breaks_halfway_is_pulled_again_from_the_host_that_has_it(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    (one,) = event.submit("one")
    said = event.dispatcher(Trouble.TRANSFER_CUT).await_end()
    assert "a transfer is cut" in said
    assert "lost, reconnecting" in said
    assert event.attempts() == [(1, "scored", None)]
    assert event.hosts is not None
    assert len(event.hosts.every()) == 1
    assert [path.name for path in event.event.ramp.predictions_dir.iterdir()] == [f"submission_{one:09d}"]
