"""A log line is one JSON object, and never holds a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.redaction import Redactor
from contracts.work import Blame, Cause, Failed, Work
from runner.progress import RunEnded, Stage, StageStarted
from runner.telling import json_log
from runner.telling.json_log import JsonLines

WORK = Work(7, "iris", "red", "one", 2, Path("/s"), Path("/l"), Path("/p"), timeout_s=60)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [JsonLines(stream)])
    ours = logging.getLogger("runner")
    before = ours.level
    ours.setLevel(logging.INFO)
    yield stream
    ours.setLevel(before)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_stage_and_a_failure_are_told_with_all_that_names_the_run(written: io.StringIO) -> None:
    json_log.tell(StageStarted(WORK, Stage.PUSH, "i-1"))
    json_log.tell(RunEnded(WORK, Failed(WORK, Blame.PARTICIPANT, Cause.RAISED, "it\nraised"), {}))
    stage, failed = lines(written)
    named = {"event": "iris", "team": "red", "submission": "one", "submission_id": 7, "attempt": 2}
    assert stage.items() >= (named | {"level": "info", "stage": "push", "host": "i-1", "action": "stage"}).items()
    told = {"level": "warning", "blame": "participant", "cause": "raised", "message": "red/one failed: it\nraised"}
    assert failed.items() >= (named | told).items()
    assert stage["time"].endswith("+00:00")


def test_a_secret_is_masked_in_messages_and_tracebacks() -> None:
    stream = io.StringIO()
    handler = JsonLines(stream, Redactor(["hunter22"]))
    log = logging.Logger("test")
    log.addHandler(handler)
    try:
        raise ValueError("hunter22 is wrong")
    except ValueError:
        log.exception("could not log in with %s", "hunter22", extra={"host": Path("hunter22"), "team": "hunter22"})
    assert "hunter22" not in stream.getvalue()
    (line,) = lines(stream)
    assert line["message"] == "could not log in with ***"
    assert "ValueError: *** is wrong" in line["traceback"]
