"""Measure what one dispatcher costs while a thousand runs go on, or what it takes to restart it under fifty."""

from __future__ import annotations

import time

from benchmarks import processes, script
from benchmarks.figures import Figure
from benchmarks.stubbed_event import stubbed_event
from tests.contract import store_fixtures

_HOW = "hosts are one SSH server in another process, a connection each; real client, real store (SQLite)"


def measure(quick: bool) -> list[Figure]:
    """Nothing is computed on the hosts: what is seen is the dispatcher's own."""
    live = 10 if quick else 50
    figures = [*_waiting(100 if quick else 1000, 10.0 if quick else 30.0), *_restart("SQLite", live)]
    programs = store_fixtures.postgresql_programs()
    if programs is None:
        return figures
    with store_fixtures.postgresql_server(programs) as server:
        return [*figures, *_restart("PostgreSQL", live, store_fixtures.new_postgresql_database(server, "restart"))]


def _waiting(count: int, window_s: float) -> list[Figure]:
    """Count CPU time over a window that holds several renewals of every lease."""
    with stubbed_event(count) as event:
        began = time.monotonic()
        pid = event.dispatcher(count).pid
        event.until(lambda: event.runs("wait") == count)
        started_s = time.monotonic() - began
        before = processes.used(pid).cpu_s
        measured_from = time.monotonic()
        time.sleep(window_s)  # what is measured is a stretch of time
        used = processes.used(pid)
        lasted_s = time.monotonic() - measured_from
    spent_s, memory_gb = used.cpu_s - before, used.peak_bytes / 1e9
    what = f"one dispatcher, {count:,} concurrent runs (emulated hosts)"
    return [
        Figure(
            f"{what}: CPU while all wait",
            round(100 * spent_s / lasted_s, 2),
            "% of a core",
            "≤ 5 %",
            f"over {lasted_s:.0f} s; {_HOW}",
        ),
        Figure(f"{what}: memory at its highest", round(memory_gb, 3), "GB", "≤ 0.4 GB", "resident, launching included"),
        Figure(f"{what}: claimed, pushed and launched", round(count / started_s, 1), "/s", "", f"in {started_s:.0f} s"),
    ]


def _restart(kind: str, count: int, url: str = "") -> list[Figure]:
    """Kill the dispatcher of live runs and start another at once, with the leases as they are by default."""
    with stubbed_event(count, url) as event:
        first = event.dispatcher(count)
        event.until(lambda: event.runs("wait") == count)
        first.kill()
        first.wait()
        began = time.monotonic()
        second = event.dispatcher(count)
        serves_s = time.monotonic() - began
        event.until(lambda: event.runs("wait", of=second.pid) == count)
        adopted_s = time.monotonic() - began
        event.tell_stub("go")
        event.until(lambda: event.runs("scored") == count)
        started = int(event.tell_stub("count"))
    what = f"restart after kill -9 with {count} live runs, {kind}"
    how = f"from the new process's start, which serves after {serves_s:.1f} s; all {count} were scored"
    return [
        Figure(f"{what}: all adopted", round(adopted_s, 2), "s", "≤ 10 s", how),
        Figure(f"{what}: runs started again", started - count, "", "0", f"{started} jobs started on the hosts in all"),
    ]


if __name__ == "__main__":
    script.main(measure)
