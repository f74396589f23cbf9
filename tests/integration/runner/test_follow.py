"""The follower on a host shows what is written while the job lives, and ends with it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clients.local import LocalTransport
from contracts.work import HostLayout
from runner import commands

LAYOUT = HostLayout("/kit", "/kit", sys.executable, "/ramp-test")


@pytest.fixture
def job(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A job's folder, and the lock its supervisor holds while the job lives."""
    (tmp_path / "log").write_bytes(b"fold 0\n")
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    yield tmp_path, lock
    os.close(lock)


def test_what_a_job_writes_is_shown_until_it_ends_its_last_words_included(job: tuple[Path, int]) -> None:
    folder, lock = job
    with LocalTransport(folder).receive(commands.follow(LAYOUT, str(folder), 0)) as chunks:
        assert next(chunks) == b"fold 0\n"
        with (folder / "log").open("ab") as log:
            log.write(b"fold 1\n")
        assert next(chunks) == b"fold 1\n"
        with (folder / "log").open("ab") as log:
            log.write(b"last words\n")
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert b"".join(chunks) == b"last words\n"


def test_it_begins_at_the_byte_that_was_asked_for(job: tuple[Path, int]) -> None:
    folder, lock = job
    fcntl.flock(lock, fcntl.LOCK_UN)
    assert LocalTransport(folder).run(commands.follow(LAYOUT, str(folder), 5)).stdout == b"0\n"


def test_it_ends_when_nobody_reads_any_more_though_the_job_goes_on(job: tuple[Path, int]) -> None:
    folder, _ = job
    follower = subprocess.Popen(commands.follow(LAYOUT, str(folder), 0), stdout=subprocess.PIPE)
    assert follower.stdout is not None
    assert follower.stdout.readline() == b"fold 0\n"
    follower.stdout.close()
    assert follower.wait(timeout=60) == 0
