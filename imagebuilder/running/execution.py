"""Run a document's phases on a machine, step by step."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from contracts.errors import BadDocument, CloudError, CommandFailed, RampartError
from imagebuilder import documents
from imagebuilder.documents import Document, Phase, Step
from imagebuilder.documents.conditions import Branch
from imagebuilder.documents.yaml_nodes import Value
from imagebuilder.running import actions, deciding, loops, transfers
from imagebuilder.running.attempt import ActionFailed, Attempt, Outcome
from imagebuilder.running.machine import Machine, ScriptLost, TimeIsUp
from imagebuilder.running.output import Log
from imagebuilder.running.ports import Documents, ObjectStore
from imagebuilder.running.variables import Variables

DEFAULT_TIMEOUT_S = 7200
MOST_RESTARTS = 10
"""That one step may ask for, one after the other."""
_DEEPEST = 3
"""How many levels deep documents may run each other."""
_FINISHED = "TOE has completed execution successfully"
_FAILURES = (ActionFailed, ScriptLost, deciding.Undecidable, loops.BadLoop, BadDocument, CloudError, CommandFailed)


@dataclass(frozen=True, slots=True)
class Failure:
    """The step that made a document fail; `exit_code` is None where no script's was the reason."""

    component: str
    phase: str
    step: str
    action: str
    reason: str
    exit_code: int | None = None

    def __str__(self) -> str:
        return f"{self.component}, phase {self.phase}, step {self.step} ({self.action}): {self.reason}"


@dataclass(slots=True)
class _Tally:
    """How the steps of one document's phases ended, as ExecuteDocument gives it."""

    executed: int = 0
    failed: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Why an attempt at a step failed."""

    reason: str
    exit_code: int | None = None


class Execution:
    """One document on one machine; what its steps gave out stays known from phase to phase.

    `component` is what the log calls it. `values` are the parameters'; raises BadDocument where they do not fit.
    """

    def __init__(
        self,
        component: str,
        document: Document,
        machine: Machine,
        *,
        values: Mapping[str, str],
        log: Log,
        objects: ObjectStore | None = None,
        others: Documents | None = None,
        depth: int = 0,
    ) -> None:
        self.component = component
        self._tally = _Tally()
        self._document = documents.fill(document, values)
        self._machine = machine
        self._log = log
        self._variables = Variables()
        self._attempt = Attempt(machine, log, None, objects, others or {}, depth)

    def run(self, phase_name: str) -> Failure | None:
        """Run one phase; gives the first failure that counts. A phase that is not there is nothing to do.

        Raises HostUnreachable or HostGone where the machine is lost.
        """
        phase = self._document.phase(phase_name)
        if phase is None:
            return None
        self._log(f"Document {self.component}")
        self._log(f"Phase {phase.name}")
        first: Failure | None = None
        for step in phase.steps:
            self._log(f"Step {step.name}")
            try:
                wrong = self._step(phase, step)
            except RampartError as error:  # the machine itself is lost: no step can follow
                self._log(f"Step {step.name} failed: {error.message}")
                raise
            self._tally.executed += 1
            if wrong is None:
                continue
            self._log(f"Step {step.name} failed: {wrong.reason}")
            if step.on_failure == "Ignore":
                self._tally.ignored += 1
                continue
            self._tally.failed += 1
            first = first or Failure(self.component, phase.name, step.name, step.action, wrong.reason, wrong.exit_code)
            if step.on_failure != "Continue":
                break
        return first

    def _step(self, phase: Phase, step: Step) -> _Wrong | None:
        """Run a step with its attempts."""
        try:
            branch = self._branch(step)
        except (*_FAILURES, TimeIsUp) as error:
            return _Wrong(f"its condition cannot be decided: {_reason(error, step)}")
        if branch is Branch.SKIP:
            self._log(f"{step.action}: SKIPPED, its condition does not hold")
            return None
        if branch is Branch.ABORT:
            return _Wrong("its condition says Abort")
        attempts = step.max_attempts or 1
        wrong: _Wrong | None = None
        for number in range(1, attempts + 1):
            if number > 1:
                self._log(f"Attempt {number} of {attempts}")
            wrong = self._try(phase, step)
            if wrong is None:
                return None
        return wrong

    def _branch(self, step: Step) -> Branch:
        if step.condition is None:
            return Branch.EXECUTE
        return deciding.branch(self._variables.filled(step.condition), self._begun(step).check)

    def _try(self, phase: Phase, step: Step) -> _Wrong | None:
        """Make one attempt, with all turns of a loop."""
        self._log(f"{step.action}: STARTED EXECUTION")
        try:
            wrong = self._turns(phase, step, self._begun(step))
        except (*_FAILURES, TimeIsUp) as error:
            wrong = _Wrong(_reason(error, step))
        except RampartError:
            self._log(f"{step.action}: FAILED EXECUTION")
            raise
        self._log(f"{step.action}: {'FINISHED' if wrong is None else 'FAILED'} EXECUTION")
        return wrong

    def _turns(self, phase: Phase, step: Step, attempt: Attempt) -> _Wrong | None:
        outputs: dict[str, str] = {}
        for turn in loops.turns(self._variables.filled(step.loop)):
            inputs = self._variables.filled(step.inputs, turn)
            outcome = self._performed(step, inputs, attempt)
            if outcome.exit_code == 0:
                outputs = actions.joined(outputs, outcome.outputs)
            elif turn is None:
                outputs = outcome.outputs
            self._variables.remember(phase.name, step.name, inputs, outputs)
            if outcome.exit_code != 0:
                return _Wrong(f"exit code {outcome.exit_code}", outcome.exit_code)
        return None

    def _performed(self, step: Step, inputs: Value, attempt: Attempt) -> Outcome:
        """Do the action as often as it asks for a restart, and once more."""
        perform = self._run_document if step.action == "ExecuteDocument" else partial(actions.perform, step.action)
        restarts = 0
        while (outcome := self._told(perform(inputs, attempt))).exit_code == actions.REBOOT_EXIT_CODE:
            self._log("The step asks for a restart of the instance and will be run again")
            self._log(actions.RESTARTING)
            self._machine.restart()
            restarts += 1
            if restarts > MOST_RESTARTS:
                raise ActionFailed(f"it asked for a restart {restarts} times")
        return outcome

    def _told(self, outcome: Outcome) -> Outcome:
        self._log(f"ExitCode {outcome.exit_code}")
        return outcome

    def _begun(self, step: Step) -> Attempt:
        limit = DEFAULT_TIMEOUT_S if step.timeout_s is None else step.timeout_s
        return replace(self._attempt, deadline=None if limit == -1 else time.monotonic() + limit)

    def _run_document(self, inputs: Value, attempt: Attempt) -> Outcome:
        """Run another document's phases, all of them unless some are named."""
        if not isinstance(inputs, dict):
            raise ActionFailed("ExecuteDocument needs a document")
        if attempt.depth == _DEEPEST:
            raise ActionFailed(f"documents run each other at most {_DEEPEST} levels deep")
        name = str(inputs.get("document"))
        inner = Execution(
            name,
            _found(name, str(inputs.get("document-s3-bucket-owner", "")), attempt),
            attempt.machine,
            values=_values(inputs.get("parameters")),
            log=self._log,
            objects=attempt.objects,
            others=attempt.documents,
            depth=attempt.depth + 1,
        )
        return inner.ran(str(inputs.get("phases") or ""))

    def ran(self, phases: str) -> Outcome:
        """Run the phases named, with commas in between, all for "", and tell it as ExecuteDocument's outputs do.

        Raises ActionFailed with the failure that counts.
        """
        own = [phase.name for phase in self._document.phases]
        wanted = [name.strip() for name in phases.split(",") if name.strip()] or own
        if missing := [name for name in wanted if name not in own]:
            raise ActionFailed(f"{self.component} has no phase {', '.join(missing)}")
        for name in own:
            failure = self.run(name) if name in wanted else None
            if failure is not None:
                raise ActionFailed(f"step {failure.step} of {self.component} failed: {failure.reason}")
        outputs = {
            "executedStepCount": str(self._tally.executed),
            "executionId": str(uuid.uuid4()),
            "failedStepCount": str(self._tally.failed),
            "failureMessage": "",
            "ignoredFailedStepCount": str(self._tally.ignored),
            "logUrl": "",
            "status": "success",
        }
        return Outcome(0, outputs)


def carry_out(executions: Sequence[Execution], phases: Iterable[str], log: Log) -> Failure | None:
    """Run phase after phase, each of all documents in order, until one fails; gives its failure.

    Raises HostUnreachable or HostGone where the machine is lost.
    """
    for phase in phases:
        for execution in executions:
            failure = execution.run(phase)
            if failure is not None:
                return failure
    log(_FINISHED)
    return None


def _reason(error: Exception, step: Step) -> str:
    if isinstance(error, TimeIsUp):
        limit = DEFAULT_TIMEOUT_S if step.timeout_s is None else step.timeout_s
        return f"timed out after {limit:g} seconds"
    if isinstance(error, BadDocument):
        return "; ".join(map(str, error.problems))
    return str(error)


def _found(name: str, owner: str, attempt: Attempt) -> Document:
    """A document given to us by that name, else one of S3 or of the machine. Raises BadDocument, ActionFailed."""
    if name in attempt.documents:
        return attempt.documents[name]
    if name.startswith("arn:"):
        raise ActionFailed(f"the component {name} was not given")
    if name.startswith("s3://"):
        source = transfers.object_content(attempt, name, owner)
    else:
        result = attempt.bash('exec cat -- "$1"', name, quiet=True)
        if result.exit_code != 0:
            raise ActionFailed(f"the document {name} cannot be read")
        source = result.stdout
    return documents.parse(source, Path(name))


def _values(given: Value) -> dict[str, str]:
    """Read a list of entries with name and value."""
    entries = given if isinstance(given, list) else []
    pairs = [(each.get("name"), each.get("value")) for each in entries if isinstance(each, dict)]
    return {str(name): str(value) for name, value in pairs}
