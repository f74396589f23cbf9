"""Write a build's log into CloudWatch Logs while the build runs."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

_BATCH = 500


class Journal:
    """One build's log: a CloudWatch stream, and the same lines in a file of the emulator's folder.

    A context manager: leaving it waits until every line is written. Lines that come while a batch is on its way
    make the next batch. A cloud that refuses the lines does not fail the build: the file has them all.
    """

    def __init__(self, logs: Any, *, group: str, stream: str, path: Path) -> None:
        self._logs = logs
        self._place = {"logGroupName": group, "logStreamName": stream}
        self._path = path
        self._queue: queue.SimpleQueue[tuple[int, str] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="imagebuilder-log")

    def __enter__(self) -> Journal:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()

    def line(self, text: str) -> None:
        """Add a line."""
        self._queue.put((time.time_ns() // 1_000_000, text))

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        reachable = self._create()
        with self._path.open("a", encoding="utf-8") as file:
            while batch := self._next_batch():
                file.writelines(f"{text}\n" for _, text in batch)
                file.flush()
                reachable = reachable and self._put(batch)

    def _next_batch(self) -> list[tuple[int, str]]:
        """The lines that wait, at least one; none at the end."""
        batch: list[tuple[int, str]] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _BATCH or self._queue.empty():
                return batch
            item = self._queue.get()
        if batch:
            self._queue.put(None)
        return batch

    def _create(self) -> bool:
        exists = self._logs.exceptions.ResourceAlreadyExistsException
        for create, place in (
            (self._logs.create_log_group, {"logGroupName": self._place["logGroupName"]}),
            (self._logs.create_log_stream, self._place),
        ):
            try:
                create(**place)
            except exists:
                continue
            except (BotoCoreError, ClientError):
                return False
        return True

    def _put(self, batch: list[tuple[int, str]]) -> bool:
        events = [{"timestamp": moment, "message": text} for moment, text in batch]
        try:
            self._logs.put_log_events(**self._place, logEvents=events)
        except (BotoCoreError, ClientError):
            return False
        return True
