"""A run's work says what its team may read of its log."""

from __future__ import annotations

from pathlib import Path

from runner.store.work_order import work_order
from tests.contract.store_fixtures import event_in


def test_what_a_team_is_shown_of_a_log_is_the_events_word(tmp_path: Path) -> None:
    event = event_in(tmp_path, "sqlite://")
    worker = event.worker.model_copy(update={"withhold_logs": True, "shown_log_kib": 16})
    work = work_order(
        event.model_copy(update={"worker": worker}),
        submission_id=7,
        team="red",
        submission="one",
        run=(1, 1),
        expected=(0, ()),
        lease_token="",
        on_demand=False,
    )
    assert (work.withholds_log, work.shown_log_bytes) == (True, 16 * 1024)
    assert work.whole_log_dir == event.state_dir / "whole_logs" / "submission_000000007"
    assert not work.whole_log_dir.is_relative_to(work.logs_dir)
