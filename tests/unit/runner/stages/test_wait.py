"""What a wait is told is believed only as far as it can be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.memory import Call, MemoryHost
from contracts.errors import HostUnreachable, RunLost
from contracts.work import (
    Claimed,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pushed,
    Work,
)
from runner.stages import wait

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = {
    "end": "timeout",
    "code": -9,
    "wall_time_s": 1.5,
    "cpu_time_s": 1.25,
    "peak_memory_bytes": 1024,
    "output_bytes": 10,
    "output_dropped_bytes": 0,
}


def launched() -> Launched:
    here = Path("/nowhere")
    work = Work(7, "iris", "team", "first", 1, here, here, here, 60.0)
    layout = HostLayout("/kit", "/kit", "python", "ramp-test")
    provisioned = Provisioned(Claimed(work, NOW), HostAddress("i-1", "10.0.0.1", "ubuntu"), layout)
    return Launched(Pushed(provisioned, "/home/ubuntu/.rampart/jobs/iris-7-1"), NOW)


def host_that(answers: bytes, code: int) -> MemoryHost:
    def shell(call: Call) -> int:
        call.out(answers)
        return code

    return MemoryHost({"sh": shell})


def test_an_exit_record_ends_the_wait() -> None:
    host = host_that(json.dumps(RECORD).encode(), 0)
    finished = wait.wait(launched(), host.connect())
    assert finished.exit == JobExit(JobEnd.TIMEOUT, -9, 1.5, 1.25, 1024, 10, 0)
    assert host.calls[0][-3:] == ("/home/ubuntu/.rampart/jobs/iris-7-1", "python", "supervise")


@pytest.mark.parametrize("code", [70, 1, 127])
def test_no_record_is_a_lost_run(code: int) -> None:
    with pytest.raises(RunLost, match="left no exit record"):
        wait.wait(launched(), host_that(b"", code).connect())


@pytest.mark.parametrize("code", [-1, 137, 143])
def test_a_wait_that_was_killed_says_nothing_about_the_job(code: int) -> None:
    with pytest.raises(HostUnreachable, match="broken off"):
        wait.wait(launched(), host_that(b"", code).connect())


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"[]",
        b"\xff",
        json.dumps(RECORD | {"end": "scored"}).encode(),
        json.dumps(RECORD | {"code": None}).encode(),
        json.dumps(RECORD | {"wall_time_s": "soon"}).encode(),
        json.dumps(RECORD | {"cpu_time_s": float("nan")}).encode(),
        json.dumps({name: RECORD[name] for name in RECORD if name != "code"}).encode(),
        json.dumps(RECORD | {"more": "x" * 5000}).encode(),
        b"[" * 4000,
    ],
)
def test_a_malformed_record_is_a_lost_run(record: bytes) -> None:
    with pytest.raises(RunLost, match="cannot be read"):
        wait.parse_exit(record)


@given(st.binary(max_size=200))
def test_any_bytes_for_a_record_are_no_traceback(record: bytes) -> None:
    with pytest.raises(RunLost):
        wait.parse_exit(record)
