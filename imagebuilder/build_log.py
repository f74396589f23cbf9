"""Tell from a build's log which step of which component speaks, or failed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

TAIL_LINES = 50

# a line of AWSTOE's may carry a time and a level before the words looked for; what a script printed begins otherwise
_LINE = re.compile(
    r"(?:\S+ \S+ (?:Info|Warning|Error|Debug) )?"
    r"(?:Document (?P<document>arn:\S+)|Phase (?P<phase>\S+)|Step (?P<step>.+)"
    r"|ExitCode (?P<exit_code>-?\d+)|\w+: (?P<failed>FAILED) EXECUTION|(?P<over>TOE has completed execution.*))"
)
_STEP_IS_OVER = re.compile(r".* (COMPLETED|FAILED: .*|failed: .*)")


@dataclass(frozen=True, slots=True)
class Place:
    """One step of one component document."""

    component: str
    phase: str
    step: str

    def __str__(self) -> str:
        return f"{self.component}, phase {self.phase}, step {self.step}"


class BuildLog:
    """Reads a build's log as it grows and keeps what a person needs of it."""

    def __init__(self) -> None:
        self.here: Place | None = None
        self.failed: Place | None = None
        self._component = ""
        self._phase = ""
        self._of_build: deque[str] = deque(maxlen=TAIL_LINES)
        self._of_step: deque[str] = deque(maxlen=TAIL_LINES)
        self._of_failed: tuple[str, ...] = ()

    def read(self, lines: Iterable[str]) -> None:
        """Take the log's next lines."""
        for line in lines:
            found = _LINE.fullmatch(line)
            if found:
                self._heed(found)
            self._of_build.append(line)
            self._of_step.append(line)
            if found and self.failed and self.failed == self.here:
                self._of_failed = tuple(self._of_step)

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines of the step that failed; of the whole log where no step did."""
        return self._of_failed if self.failed else tuple(self._of_build)

    def _heed(self, found: re.Match[str]) -> None:
        if found["document"]:
            self._component = _component(found["document"])
            self._enter(None)
        elif found["phase"]:
            self._phase = found["phase"]
            self._enter(None)
        elif found["step"] and not _STEP_IS_OVER.fullmatch(found["step"]):
            self._enter(Place(self._component, self._phase, found["step"]))
        elif found["over"]:
            self._enter(None)
        elif found["failed"] or (found["exit_code"] and int(found["exit_code"]) != 0):
            self.failed = self.failed or self.here
        elif found["exit_code"] and self.failed == self.here:
            self.failed = None  # another attempt at the step went well

    def _enter(self, place: Place | None) -> None:
        self.here = place
        self._of_step.clear()


def _component(arn: str) -> str:
    parts = arn.split("/")
    return parts[1] if len(parts) > 1 else arn
