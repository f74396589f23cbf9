"""Write log records as lines of JSON."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from contracts.redaction import BY_LOOK
from contracts.work import Failed, Scored, Work
from runner.progress import Progress, RunEnded, StageStarted

_log = logging.getLogger(__name__)
_OURS = ("clients", "imagebuilder", "runner", "tasks")
FIELDS = (
    "event", "team", "submission", "submission_id", "attempt", "stage", "host", "blame", "cause", "action",
)  # fmt: skip
"""What a record may carry beside its message, as `extra`."""


class JsonLines(logging.Handler):
    """Writes each record as one line of JSON; `redact` takes the secrets out of all that is text in it."""

    def __init__(self, stream: TextIO, redact: Callable[[str], str] = BY_LOOK) -> None:
        super().__init__()
        self._stream = stream
        self._redact = redact

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            line = self._line(record)
            self._stream.write(line + "\n")
            self._stream.flush()
        except Exception:
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        fields: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        fields |= {name: getattr(record, name) for name in FIELDS if getattr(record, name, "") != ""}
        if record.exc_info:
            fields["traceback"] = logging.Formatter().formatException(record.exc_info)
        told = {name: self._redact(value) if isinstance(value, str) else value for name, value in fields.items()}
        return json.dumps(told, default=lambda value: self._redact(str(value)))


def start(stream: TextIO, redact: Callable[[str], str]) -> JsonLines:
    """Send every record of this process to `stream`: our own from INFO on, other libraries' warnings."""
    handler = JsonLines(stream, redact)
    logging.getLogger().addHandler(handler)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    return handler


def tell(progress: Progress) -> None:
    """Log what a run does."""
    match progress:
        case StageStarted(work, stage, host_id):
            extra = {**_about(work), "stage": stage.value, "host": host_id, "action": "stage"}
            _log.info("%s/%s: %s", work.team, work.submission, stage, extra=extra)
        case RunEnded(work, Scored()):
            _log.info("%s/%s is scored", work.team, work.submission, extra={**_about(work), "action": "scored"})
        case RunEnded(work, Failed(blame=blame, cause=cause, message=message)):
            extra = {**_about(work), "blame": blame.value, "cause": cause.value, "action": "failed"}
            _log.warning("%s/%s failed: %s", work.team, work.submission, message, extra=extra)
        case RunEnded(work, None):
            extra = {**_about(work), "action": "requeued"}
            _log.info("%s/%s goes back to the queue", work.team, work.submission, extra=extra)


def _about(work: Work) -> dict[str, object]:
    return {
        "event": work.event,
        "team": work.team,
        "submission": work.submission,
        "submission_id": work.submission_id,
        "attempt": work.attempt,
    }
