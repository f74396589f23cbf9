"""What came of an event's canaries is known by what they ran on, whichever database keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.work import Containment
from runner.store import CanaryRecord, CanaryRecords
from tests.contract.store_fixtures import Bench

RAN_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLEAN = CanaryRecord("ami-1", Containment.SYSTEMD, True, "0123", 57, (), RAN_AT)


@pytest.fixture
def records(sql: Bench) -> CanaryRecords:
    assert sql.database is not None
    return CanaryRecords(sql.database)


def test_the_last_canary_on_a_host_counts(records: CanaryRecords) -> None:
    assert records.last("iris", "ami-1") is None
    later = replace(CLEAN, is_blind=False, not_stopped=("labels", "tcp"), ran_at=RAN_AT + timedelta(days=1))
    records.add("iris", CLEAN)
    assert records.last("iris", "ami-1") == CLEAN
    records.add("iris", later)
    assert records.last("iris", "ami-1") == later


def test_a_canary_says_nothing_of_other_hosts_and_events(records: CanaryRecords) -> None:
    records.add("iris", CLEAN)
    assert records.last("iris", "ami-2") is None
    assert records.last("wine", "ami-1") is None
