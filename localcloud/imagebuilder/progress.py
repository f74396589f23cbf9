"""Show how far a build is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from localcloud.imagebuilder import arns
from localcloud.imagebuilder.cancellation import Cancelled
from localcloud.imagebuilder.registry import Record, Registry, new_id, now

_MESSAGE = 500


class BuildFailed(Exception):
    """A build cannot go on; `component` is the model's description of the component at fault, if one is."""

    def __init__(self, message: str, *, component: Record | None = None) -> None:
        super().__init__(message)
        self.component = component


class Progress:
    """The visible side of one build; every change is made under the registry's lock."""

    def __init__(self, registry: Registry, image: Record, log: Callable[[str], None]) -> None:
        self._registry = registry
        self._image = image
        self._log = log
        self._failed: Record = {}

    def move(self, status: str) -> None:
        """Enter the next state."""
        self.announce(status)
        self.settle({"status": status})

    def announce(self, status: str) -> None:
        """Log a change of state."""
        self._log(f"Image transitioned to {status} state for Image ARN: {self._image['arn']}")

    def settle(self, state: Record) -> None:
        """Make a state visible."""
        with self._registry.lock:
            self._image["state"] = state

    def publish(self, ami: Record) -> None:
        """Show the AMI that came out."""
        with self._registry.lock:
            self._image["outputResources"] = {"amis": [ami]}

    def failure(self, error: Exception) -> Record:
        """The state FAILED with its reason: the workflow, its step and what went wrong there."""
        context: Record = {"imageStatus": self._image["state"]["status"], **self._failed}
        reason = f"{error}" or type(error).__name__
        if self._failed:
            reason = (
                f"Workflow Execution ID: {self._failed['workflowExecutionId']} failed at step "
                f"{self._failed['failedStep']}: {reason}"
            )
        if isinstance(error, BuildFailed) and error.component is not None:
            context["componentFailure"] = error.component
        return {"status": "FAILED", "reason": reason[:1024], "failureContext": context}

    @contextmanager
    def workflow(self, kind: str, name: str, steps: int) -> Iterator[Workflow]:
        """Run a workflow (BUILD, TEST or DISTRIBUTION) that should have that many steps."""
        record = self._workflow_record(kind, name, steps)
        with self._registry.lock:
            self._registry.workflows[record["workflowExecutionId"]] = record
        self._log(f"Started {kind} workflow {record['workflowBuildVersionArn']} ({record['workflowExecutionId']})")
        status = "COMPLETED"
        try:
            yield Workflow(self._registry, record, self._log, self._note_failure)
        except BaseException as error:
            status = "CANCELLED" if isinstance(error, Cancelled) else "FAILED"
            record["message"] = f"{error}"[:_MESSAGE]
            raise
        finally:
            with self._registry.lock:
                record.update(status=status, endTime=now())
            self._log(f"{kind} workflow {record['workflowExecutionId']} {status}")

    def _note_failure(self, workflow: Record, step: Record) -> None:
        self._failed = {
            "workflowExecutionId": workflow["workflowExecutionId"],
            "workflowArn": workflow["workflowBuildVersionArn"],
            "stepExecutionId": step["stepExecutionId"],
            "failedStep": step["name"],
        }

    def _workflow_record(self, kind: str, name: str, steps: int) -> Record:
        region = self._registry.region
        return {
            "workflowBuildVersionArn": f"arn:aws:imagebuilder:{region}:aws:workflow/{kind.lower()}/{name}/1.0.0/1",
            "workflowExecutionId": new_id("wf"),
            "imageBuildVersionArn": self._image["arn"],
            "type": kind,
            "status": "RUNNING",
            "message": "",
            "totalStepCount": steps,
            "totalStepsSucceeded": 0,
            "totalStepsFailed": 0,
            "totalStepsSkipped": 0,
            "startTime": now(),
            "steps": [],
        }


class Workflow:
    """One running workflow."""

    def __init__(
        self,
        registry: Registry,
        record: Record,
        log: Callable[[str], None],
        note_failure: Callable[[Record, Record], None],
    ) -> None:
        self._registry = registry
        self._record = record
        self._log = log
        self._note_failure = note_failure

    @contextmanager
    def step(self, name: str, action: str) -> Iterator[None]:
        """Run one step."""
        step: Record = {
            "stepExecutionId": new_id("step"),
            "name": name,
            "action": action,
            "status": "RUNNING",
            "startTime": now(),
            "message": "",
            "onFailure": "Abort",
            "attemptNumber": 1,
            "maxAttempts": 1,
        }
        with self._registry.lock:
            self._record["steps"].append(step)
        self._log(f"Started step {name} with action {action}")
        try:
            yield
        except Cancelled:
            self._end(step, status="CANCELLED")
            raise
        except Exception as error:
            self._end(step, status="FAILED", message=f"{error}"[:_MESSAGE])
            self._count("totalStepsFailed")
            self._note_failure(self._record, step)
            raise
        self._end(step, status="COMPLETED")
        self._count("totalStepsSucceeded")

    def _end(self, step: Record, **changes: Any) -> None:
        with self._registry.lock:
            step.update(changes, endTime=now())
        self._log(f"Step {step['name']} {changes['status']}" + (f": {step['message']}" if step["message"] else ""))

    def _count(self, member: str) -> None:
        with self._registry.lock:
            self._record[member] += 1


def component_failure(arn: str, phase: str, step: str, action: str, message: str) -> BuildFailed:
    """The failure of a component's step."""
    text = f"Document {arn} failed! Phase: {phase}, Step: {step}, {action}: {message}"
    described = {"componentArn": arn, "phaseName": phase, "stepName": step, "action": action, "errorMessage": text}
    return BuildFailed(f"component {arns.read(arn).name}, phase {phase}, step {step}: {message}", component=described)
