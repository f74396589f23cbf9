"""Be the base of an organiser's own worker, with RAMP's method names."""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

_log = logging.getLogger(__name__)
_TIMEOUT_S = 7200.0  # RAMP's default


class BaseWorker(ABC):
    """Runs one submission somewhere: set up, launched, asked until it has finished, collected, torn down.

    `config` holds the event file's `worker` keys with the event's folders as texts; `submission` is the name of the
    submission's folder in `config["submissions_dir"]`. Every method that a subclass overrides calls this class's own,
    which keeps the status: `initialized`, `setup`, `running`, `finished`, `collected` and `killed`, or `timeout`; a
    subclass may set `retry` (lost through no fault of the submission's) and `error` itself.
    """

    def __init__(self, config: Mapping[str, Any], submission: str) -> None:
        self.config = dict(config)
        self.submission = submission
        self._status = "initialized"
        self._launched_at = math.inf
        self._checked_at: float | None = None

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.submission}): status="{self._status}"'

    def setup(self) -> None:
        """Make ready what the submission runs on; a subclass calls this at the end."""
        self._become("setup")

    @abstractmethod
    def launch_submission(self) -> None:
        """Start the submission and return; a subclass calls this at the end."""
        if self._status == "running":
            raise ValueError(f"{self!r} runs its submission already")
        self._launched_at = time.monotonic()
        self._become("running")

    @abstractmethod
    def collect_results(self) -> tuple[int, str] | None:
        """Put log and predictions into their folders; a subclass calls this first, then gives exit code and error."""
        if self._status in ("initialized", "setup"):
            raise ValueError(f"{self!r} has no results: launch_submission() comes first")
        return None

    def teardown(self) -> None:
        """End what still runs and give back what `setup` took; called however the run ends, so twice is fine too."""
        self._become("killed")

    def launch(self) -> None:
        """Do all of it, one after the other, without a dispatcher; for workers whose collecting waits for the end."""
        self.setup()
        self.launch_submission()
        self.collect_results()
        self.teardown()

    @property
    def status(self) -> str:
        """Where the worker is; of a running one the submission is looked at first."""
        if self._status == "running":
            self._checked_at = time.monotonic()
            if self._is_submission_interrupted():
                self._become("retry")
            elif self._is_submission_finished():
                self._become("finished")
        return self._status

    @status.setter
    def status(self, status: str) -> None:
        self._status = status

    def time_since_last_status_check(self) -> float:
        """Seconds since a running submission was last looked at; infinite before the first time."""
        return math.inf if self._checked_at is None else time.monotonic() - self._checked_at

    def check_timeout(self) -> bool:
        """Whether the submission has run longer than `config["timeout"]` seconds; its status is `timeout` then."""
        if self._status == "running" and time.monotonic() - self._launched_at > self.timeout:
            self._become("timeout")
        return self._status == "timeout"

    @property
    def timeout(self) -> float:
        """How long the submission may run, in seconds."""
        return float(self.config.get("timeout", _TIMEOUT_S))

    @abstractmethod
    def _is_submission_finished(self) -> bool:
        """Whether the running submission has ended, well or not."""

    def _is_submission_interrupted(self) -> bool:
        """Whether the running submission was lost with what it ran on, and is worth another attempt."""
        return False

    @staticmethod
    def _check_config_name(config: Mapping[str, Any], param: str) -> None:
        """Raise ValueError where a key is missing."""
        if param not in config:
            raise ValueError(f"the event file's section worker needs the key {param!r}")

    def _become(self, status: str) -> None:
        self._status = status
        _log.info("%r", self, extra={"action": "worker-status"})
