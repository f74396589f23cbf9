"""A job's log keeps its two ends."""

from __future__ import annotations

from pathlib import Path

from runner.job.supervisor.log import LOG_HEAD_BYTES, LOG_TAIL_BYTES, CappedLog


def test_a_short_log_is_kept_as_it_is(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "log")
    log.feed(b"one\n")
    assert (tmp_path / "log").read_bytes() == b"one\n"
    log.feed(b"two\n")
    assert (log.finish(), log.size) == (0, 8)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_long_log_keeps_head_and_tail_and_counts_what_lies_between(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "log")
    pieces = [bytes([65 + number % 26]) * 100_000 for number in range(40)]
    for piece in pieces:
        log.feed(piece)
    dropped = log.finish()
    written = (tmp_path / "log").read_bytes()
    everything = b"".join(pieces)
    head, tail = written.split(f"\n[... {dropped} bytes of output dropped ...]\n".encode())
    assert log.size == len(everything) == len(head) + dropped + len(tail)
    assert (everything.startswith(head), everything.endswith(tail)) == (True, True)
    assert len(head) == LOG_HEAD_BYTES
    assert LOG_TAIL_BYTES <= len(tail) < LOG_TAIL_BYTES + 100_000
