"""Tell from a build's log which step of which component speaks, or failed."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

TAIL_LINES = 50
_MOST_FAILURES = 20

# a line of AWSTOE's may carry a time and a level before the words looked for; what a script printed begins otherwise
_LINE = re.compile(
    r"(?:\S+ \S+ (?:Info|Warning|Error|Debug) )?"
    r"(?:Document (?P<document>\S+)|Phase (?P<phase>\S+)|Step (?P<step>.+)"
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


@dataclass(slots=True)
class _Failure:
    """How a step failed, with the end of what it said."""

    exit_code: int | None = None
    lines: tuple[str, ...] = ()


class BuildLog:
    """Reads a build's log as it grows and keeps what a person needs of it."""

    def __init__(self) -> None:
        self.here: Place | None = None
        self._component = ""
        self._phase = ""
        self._of_build: deque[str] = deque(maxlen=TAIL_LINES)
        self._of_step: deque[str] = deque(maxlen=TAIL_LINES)
        self._failures: dict[Place, _Failure] = {}
        self._blamed: Place | None = None

    def read(self, lines: Iterable[str]) -> None:
        """Take the log's next lines."""
        for line in lines:
            found = _LINE.fullmatch(line)
            if found:
                self._heed(found)
            self._of_build.append(line)
            self._of_step.append(line)
            if found and self.here in self._failures:
                self._failures[self.here].lines = tuple(self._of_step)

    def blame(self, place: Place) -> None:
        """Take the service's own word for which step failed: a log does not tell whose failure is to be ignored."""
        self._blamed = place

    def shows_failure_of(self, place: Place) -> bool:
        """Whether the log has come so far that a step is seen to fail."""
        return place in self._failures

    @property
    def failed(self) -> Place | None:
        """The step that failed: the one blamed, else the first that did."""
        return self._blamed or next(iter(self._failures), None)

    @property
    def exit_code(self) -> int | None:
        """The failed step's; None where it has none, or was not heard of."""
        failure = self._failure()
        return failure.exit_code if failure else None

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines of the step that failed; of the whole log where no step did."""
        failure = self._failure()
        return failure.lines if failure else tuple(self._of_build)

    def _failure(self) -> _Failure | None:
        return self._failures.get(self.failed) if self.failed else None

    def _heed(self, found: re.Match[str]) -> None:
        if found["document"]:
            self._component = component_of(found["document"])
            self._enter(None)
        elif found["phase"]:
            self._phase = found["phase"]
            self._enter(None)
        elif found["step"] and not _STEP_IS_OVER.fullmatch(found["step"]):
            self._enter(Place(self._component, self._phase, found["step"]))
        elif found["over"]:
            self._enter(None)
        elif found["exit_code"]:
            self._note(int(found["exit_code"]))
        elif found["failed"]:
            self._note(None)

    def _note(self, exit_code: int | None) -> None:
        """Take note of how the step that speaks ended; None: it failed."""
        if self.here is None:
            return
        if exit_code == 0:
            self._failures.pop(self.here, None)  # another attempt at the step went well
        elif self.here in self._failures or len(self._failures) < _MOST_FAILURES:
            failure = self._failures.setdefault(self.here, _Failure())
            failure.exit_code = failure.exit_code if exit_code is None else exit_code

    def _enter(self, place: Place | None) -> None:
        self.here = place
        self._of_step.clear()


def component_of(arn: str) -> str:
    """The name of a component, from the ARN of one of its versions."""
    parts = arn.split("/")
    return parts[1] if len(parts) > 1 else arn
