"""Commands are run to their end, their deadline or a cancellation."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.imagebuilder import processes
from localcloud.imagebuilder.cancellation import Cancellation, Cancelled


@pytest.fixture
def cancellation() -> Iterator[Cancellation]:
    made = Cancellation()
    yield made
    made.close()


def run(
    script: str,
    cancellation: Cancellation,
    *,
    stdin: bytes = b"",
    timeout_s: float | None = None,
    on_output: Callable[[str, bytes], None] = lambda *_: None,
) -> int:
    marker = processes.new_marker()
    return processes.run(
        ["/bin/bash", "-c", script],
        environment={"PATH": os.environ["PATH"], **marker},
        marker=marker,
        folder=None,
        stdin=stdin,
        deadline=None if timeout_s is None else time.monotonic() + timeout_s,
        cancellation=cancellation,
        on_output=on_output,
    )


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_exit_code_and_whole_output_come_back(cancellation: Cancellation) -> None:
    got = {"stdout": bytearray(), "stderr": bytearray()}
    code = run(
        "head -c 3000000 /dev/zero; echo e >&2; exit 3",
        cancellation,
        on_output=lambda name, chunk: got[name].extend(chunk),
    )
    assert (code, len(got["stdout"]), bytes(got["stderr"])) == (3, 3_000_000, b"e\n")


def test_standard_input_is_fed_and_may_be_ignored(cancellation: Cancellation) -> None:
    got = bytearray()
    content = b"x" * 300_000
    assert run("cat", cancellation, stdin=content, on_output=lambda _, chunk: got.extend(chunk)) == 0
    assert got == content
    assert run("exit 0", cancellation, stdin=content) == 0


def test_a_deadline_kills_even_what_left_the_session(cancellation: Cancellation, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"setsid sleep 60 & echo $! $$ > {pids}; sleep 60"
    with pytest.raises(processes.DeadlinePassed):
        run(script, cancellation, timeout_s=0.3)
    assert [is_alive(int(pid)) for pid in pids.read_text().split()] == [False, False]


def test_a_background_process_does_not_hold_a_finished_command(cancellation: Cancellation, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    started = time.monotonic()
    assert run(f"sleep 30 & echo $! > {pid}", cancellation) == 0
    os.kill(int(pid.read_text()), 9)
    assert time.monotonic() - started < 10


def test_a_cancellation_ends_a_command_at_once(cancellation: Cancellation) -> None:
    def cancel(_name: str, _chunk: bytes) -> None:
        threading.Thread(target=cancellation.cancel).start()

    with pytest.raises(Cancelled):
        run("echo $$; sleep 60", cancellation, on_output=cancel)
    with pytest.raises(Cancelled):
        run("true", cancellation)
