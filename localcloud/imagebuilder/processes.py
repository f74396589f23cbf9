"""Run one command as a child of this process, to its end or its deadline."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from localcloud.imagebuilder.cancellation import Cancellation, Cancelled

MARKER = "IMAGEBUILDER_STEP"
_CHUNK = 65_536
_PASSES = 20
_LAST_CHUNKS = 16  # 1 MiB, more than a pipe holds


class DeadlinePassed(Exception):
    """The command did not end in its time and was killed with all it had started."""


def new_marker() -> dict[str, str]:
    """An environment variable by which the processes of one command are found again."""
    return {MARKER: uuid.uuid4().hex}


def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    marker: Mapping[str, str],
    folder: str | None,
    stdin: bytes,
    deadline: float | None,
    cancellation: Cancellation,
    on_output: Callable[[str, bytes], None],
) -> int:
    """Run a command and hand its output on while it comes; gives the exit code.

    `on_output` gets `stdout` or `stderr` and a chunk. Raises DeadlinePassed at `deadline` (monotonic clock) and
    Cancelled; both leave no process behind. What the command leaves running in the background goes on.
    """
    cancellation.check()
    with subprocess.Popen(
        list(argv),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        done_reader, done_writer = os.pipe()
        waiter = threading.Thread(target=_announce_end, args=(process, done_writer), name="imagebuilder-wait")
        feeder = threading.Thread(target=_feed, args=(process.stdin, stdin), name="imagebuilder-feed")
        waiter.start()
        feeder.start()
        try:
            _pump(process, done_reader, deadline, cancellation, on_output)
        except BaseException:
            _kill_tree(process, marker)
            raise
        finally:
            waiter.join()
            _close(process.stdout, process.stderr)
            feeder.join()
            os.close(done_reader)
    return process.returncode


def _pump(
    process: subprocess.Popen[bytes],
    done: int,
    deadline: float | None,
    cancellation: Cancellation,
    on_output: Callable[[str, bytes], None],
) -> None:
    """Read both pipes until the command itself has ended, then what is still in them."""
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("stdout", process.stdout), ("stderr", process.stderr)):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe.fileno(), selectors.EVENT_READ, name)
        selector.register(done, selectors.EVENT_READ, "done")
        selector.register(cancellation, selectors.EVENT_READ, "cancelled")
        while True:
            remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = {key.data: key.fd for key, _ in selector.select(remaining)}
            if "cancelled" in ready:
                raise Cancelled
            for name in ready.keys() & {"stdout", "stderr"}:
                if not _read(ready[name], name, on_output):
                    selector.unregister(ready[name])
            if "done" in ready:
                break
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlinePassed
        _drain([key for key in selector.get_map().values() if key.data in ("stdout", "stderr")], on_output)


def _drain(pipes: Sequence[selectors.SelectorKey], on_output: Callable[[str, bytes], None]) -> None:
    """Hand on what an ended command left in its pipes; what a background process adds later is not waited for."""
    for pipe in pipes:
        for _ in range(_LAST_CHUNKS):
            if not _read(pipe.fd, pipe.data, on_output, at_end=True):
                break


def _read(descriptor: int, name: str, on_output: Callable[[str, bytes], None], *, at_end: bool = False) -> bool:
    """Hand one chunk on; False at the end of the stream, and once nothing is left when `at_end`."""
    try:
        chunk = os.read(descriptor, _CHUNK)
    except BlockingIOError:
        return not at_end
    if chunk:
        on_output(name, chunk)
    return bool(chunk)


def _announce_end(process: subprocess.Popen[bytes], writer: int) -> None:
    process.wait()
    os.close(writer)


def _feed(pipe: IO[bytes] | None, content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), contextlib.closing(pipe) if pipe else contextlib.nullcontext():
        if pipe:
            pipe.write(content)


def _close(*pipes: IO[bytes] | None) -> None:
    for pipe in pipes:
        if pipe is not None:
            pipe.close()


def _kill_tree(process: subprocess.Popen[bytes], marker: Mapping[str, str]) -> None:
    """Kill the command's session, and, where /proc tells, whatever else carries its marker."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    wanted = {f"{name}={value}".encode() for name, value in marker.items()}
    for _ in range(_PASSES):
        if not _kill_marked(wanted):
            return


def _kill_marked(wanted: set[bytes]) -> int:
    killed = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if not wanted.intersection((folder / "environ").read_bytes().split(b"\0")):
                continue
            os.kill(int(folder.name), signal.SIGKILL)
            killed += 1
        except OSError:
            continue
    return killed
