"""The supervisor's own parts: the capped log, the job's environment, the size of a process tree."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

from runner.job import supervise


def test_the_supervisor_needs_the_standard_library_only() -> None:
    tree = ast.parse(Path(supervise.__file__).read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_a_short_log_is_kept_as_it_is(tmp_path: Path) -> None:
    log = supervise.CappedLog(tmp_path / "log")
    log.feed(b"one\n")
    assert (tmp_path / "log").read_bytes() == b"one\n"
    log.feed(b"two\n")
    assert (log.finish(), log.size) == (0, 8)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_a_long_log_keeps_head_and_tail_and_counts_what_lies_between(tmp_path: Path) -> None:
    log = supervise.CappedLog(tmp_path / "log")
    pieces = [bytes([65 + number % 26]) * 100_000 for number in range(40)]
    for piece in pieces:
        log.feed(piece)
    dropped = log.finish()
    written = (tmp_path / "log").read_bytes()
    everything = b"".join(pieces)
    head, tail = written.split(f"\n[... {dropped} bytes of output dropped ...]\n".encode())
    assert log.size == len(everything) == len(head) + dropped + len(tail)
    assert (everything.startswith(head), everything.endswith(tail)) == (True, True)
    assert len(head) == supervise.LOG_HEAD_BYTES
    assert supervise.LOG_TAIL_BYTES <= len(tail) < supervise.LOG_TAIL_BYTES + 100_000


def test_a_job_is_told_its_threads_and_nothing_of_ours(tmp_path: Path) -> None:
    environment = supervise.job_environment(tmp_path, "/env/bin/ramp-test", 2)
    assert {environment[name] for name in supervise.THREAD_VARIABLES} == {"2"}
    assert environment["PATH"].startswith("/env/bin:")
    assert environment["HOME"] == str(tmp_path / "home")
    assert not {name for name in environment if name.startswith("AWS")}
    assert not set(supervise.THREAD_VARIABLES) & set(supervise.job_environment(tmp_path, "/env/bin/ramp-test", None))


def test_this_process_is_below_its_parent() -> None:
    assert supervise.descendants(os.getppid())[os.getpid()] > 1024**2


def test_pages_that_processes_share_count_once_where_that_decides() -> None:
    me = {os.getpid(): supervise.descendants(os.getppid())[os.getpid()]}
    assert supervise.memory_of(me, 1) == me[os.getpid()]
    twice = me | {os.getppid(): 1}
    assert supervise.memory_of(twice, 2**60) == sum(twice.values())
