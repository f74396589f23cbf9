"""Run a component document's phases on a machine, as AWSTOE does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.imagebuilder import actions, conditions, nested
from localcloud.imagebuilder.acting import ActionFailed, Outcome, Shell
from localcloud.imagebuilder.document import Document, OnFailure, Phase, Step
from localcloud.imagebuilder.variables import Iteration, Scope

_REBOOTS = 10
_TURNS = 10_000

Log = Callable[[str], None]
ShellOf = Callable[[float | None], Shell]
"""Makes the shell of one attempt from the moment (monotonic clock) it must end at."""


class StepTimedOut(Exception):
    """A step's time was up; everything it had started was ended."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """The step that made a phase fail."""

    phase: str
    step: str
    action: str
    message: str


def values_of(document: Document, given: Mapping[str, str], overrides: Mapping[str, str]) -> dict[str, str]:
    """Constants and parameters as the document's steps see them.

    `given` is the recipe's; `overrides` is the machine's own and counts for parameters the document declares.
    """
    defaults = {parameter.name: parameter.default or "" for parameter in document.parameters}
    own = {name: value for name, value in overrides.items() if name in defaults}
    return {**document.constants, **defaults, **given, **own}


class Interpreter:
    """One document on one machine; what its steps gave out stays known from phase to phase."""

    def __init__(
        self,
        document: Document,
        values: Mapping[str, str],
        *,
        shell_of: ShellOf,
        log: Log,
        component_of: nested.ComponentOf,
        above: tuple[Document, ...] = (),
    ) -> None:
        """`above` are the documents that had this one run, the first one first."""
        self._document = document
        self._component_of = component_of
        self._chain = (*above, document)
        self._counts = {"executedStepCount": 0, "failedStepCount": 0, "ignoredFailedStepCount": 0}
        self._scope = Scope(values)
        self._shell_of = shell_of
        self._log = log

    @property
    def counts(self) -> dict[str, int]:
        """How many steps ran, failed, and failed without being counted."""
        return dict(self._counts)

    def run(self, phase_name: str) -> StepFailure | None:
        """Run a phase's steps in order; gives the first failure that counts."""
        phase = self._document.phase(phase_name)
        if phase is None:
            return None
        self._log(f"Phase {phase.name}")
        first: StepFailure | None = None
        for step in phase.steps:
            self._log(f"Step {step.name}")
            message = self._step(phase, step)
            self._counts["executedStepCount"] += 1
            if message is None:
                continue
            self._log(f"Step {step.name} failed: {message}")
            is_ignored = step.on_failure is OnFailure.IGNORE
            self._counts["ignoredFailedStepCount" if is_ignored else "failedStepCount"] += 1
            if step.on_failure is not OnFailure.IGNORE:
                first = first or StepFailure(phase.name, step.name, step.action, message)
            if step.on_failure is OnFailure.ABORT:
                break
        return first

    def _step(self, phase: Phase, step: Step) -> str | None:
        """Run a step with its attempts; gives the reason of its failure."""
        try:
            branch = self._branch(step)
        except (conditions.Undecidable, StepTimedOut, ActionFailed) as error:
            return f"its condition cannot be decided: {error}"
        if branch == "Skip":
            self._log(f"{step.action}: SKIPPED, its condition does not hold")
            return None
        if branch == "Abort":
            return "its condition says Abort"
        message: str | None = None
        for attempt in range(1, step.max_attempts + 1):
            if attempt > 1:
                self._log(f"Attempt {attempt} of {step.max_attempts}")
            message = self._attempt(phase, step)
            if message is None:
                return None
        return message

    def _branch(self, step: Step) -> str:
        if step.condition is None:
            return "Execute"
        shell = self._shell_of(self._deadline(step))
        filled = self._scope.fill(step.condition)
        return conditions.branch(
            filled, lambda command: shell.run("/bin/bash", "-c", command, quiet=True).exit_code == 0
        )

    def _attempt(self, phase: Phase, step: Step) -> str | None:
        self._log(f"{step.action}: STARTED EXECUTION")
        shell = self._shell_of(self._deadline(step))
        turns: list[dict[str, Any]] = []
        try:
            for iteration in self._iterations(step):
                inputs = self._scope.fill(step.inputs, iteration)
                outcome = self._perform(step, inputs, shell)
                if outcome.exit_code == 0 or iteration is None:  # a failed turn adds nothing to the outputs
                    turns.append(outcome.outputs)
                self._scope.remember(phase.name, step.name, inputs, actions.collate(turns))
                if outcome.exit_code != 0:
                    self._log(f"{step.action}: FAILED EXECUTION")
                    return f"exit code {outcome.exit_code}"
        except StepTimedOut:
            self._log(f"{step.action}: FAILED EXECUTION")
            return f"timed out after {step.timeout_s:g} seconds"
        except ActionFailed as error:
            self._log(f"{step.action}: FAILED EXECUTION")
            return str(error)
        self._log(f"{step.action}: FINISHED EXECUTION")
        return None

    def _perform(self, step: Step, inputs: Any, shell: Shell) -> Outcome:
        """Do the action, again after each restart it asks for."""
        for _ in range(_REBOOTS + 1):
            if step.action == "ExecuteDocument":
                outcome = self._run_document(inputs, shell)
            else:
                outcome = actions.perform(step.action, inputs, shell)
            self._log(f"ExitCode {outcome.exit_code}")
            if outcome.exit_code != actions.REBOOT_EXIT_CODE:
                return outcome
            self._log("The step asks for a restart of the instance and will be run again")
            shell.reboot()
        raise ActionFailed(f"it asked for a restart {_REBOOTS + 1} times")

    def _run_document(self, inputs: Mapping[str, Any], shell: Shell) -> Outcome:
        document = nested.read(inputs, shell, self._component_of, self._chain)
        given = {parameter["name"]: parameter["value"] for parameter in inputs.get("parameters", ())}
        inner = Interpreter(
            document,
            values_of(document, given, {}),
            shell_of=self._shell_of,
            log=self._log,
            component_of=self._component_of,
            above=self._chain,
        )
        for phase in nested.phases(inputs, document):
            failure = inner.run(phase)
            if failure is not None:
                raise ActionFailed(f"step {failure.step} of {inputs['document']} failed: {failure.message}")
        return Outcome(0, {**inner.counts, "failureMessage": "", "logUrl": "", "status": "success"})

    def _iterations(self, step: Step) -> Iterator[Iteration | None]:
        if step.loop is None:
            yield None
            return
        name = step.loop.name
        spec = self._scope.fill(step.loop.spec)
        turns = _for(spec) if step.loop.kind == "for" else _for_each(spec)
        for index, value in enumerate(turns):
            if index >= _TURNS:
                raise ActionFailed(f"the loop has more than {_TURNS} turns")
            yield Iteration(index, value, name)

    def _deadline(self, step: Step) -> float | None:
        return None if step.timeout_s is None else time.monotonic() + step.timeout_s


def _for(spec: Mapping[str, Any]) -> Iterator[str]:
    try:
        start, end, by = (int(spec[name]) for name in ("start", "end", "updateBy"))
    except (TypeError, ValueError) as error:
        raise ActionFailed(f"the loop's bounds are not numbers: {error}") from error
    if by == 0:
        raise ActionFailed("the loop's updateBy is 0")
    yield from map(str, range(start, end + (1 if by > 0 else -1), by))


def _for_each(spec: Any) -> list[str]:
    if isinstance(spec, list):
        return spec
    return [item for item in str(spec["list"]).split(spec.get("delimiter", ",")) if item]
