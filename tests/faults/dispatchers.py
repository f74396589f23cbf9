"""Start dispatchers as processes that can be killed, without paying for their imports each time."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests import warm
from tests.faults import serving
from tests.faults.serving import Order

_END_TIMEOUT_S = 90.0


@dataclass(frozen=True, slots=True)
class DispatcherProcess:
    """One dispatcher, running or not."""

    process: ForkServerProcess
    log: Path

    @property
    def said(self) -> str:
        """Everything it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    @property
    def has_ended(self) -> bool:
        return self.process.exitcode is not None

    @property
    def was_killed(self) -> bool:
        """Whether it died by SIGKILL, as of now."""
        return self.process.exitcode == -signal.SIGKILL

    def kill(self) -> None:
        """End it as power loss would; it is dead when this returns. Doing it twice is fine."""
        self.process.kill()
        self.process.join()

    def await_kill(self) -> None:
        """Wait until what was to kill it has."""
        self._join()
        assert self.was_killed, self.said

    def await_end(self) -> str:
        """Wait until it has nothing left to do; gives what it said."""
        self._join()
        assert self.process.exitcode == 0, self.said
        return self.said

    def _join(self) -> None:
        self.process.join(_END_TIMEOUT_S)
        assert self.has_ended, f"still at it after {_END_TIMEOUT_S} s:\n{self.said}"


def start(order: Order) -> DispatcherProcess:
    """Start one; it has begun when this returns, and may have ended."""
    return DispatcherProcess(warm.process(serving.serve, order, is_daemon=True), order.log)
