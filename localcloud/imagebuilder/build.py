"""Make one image: build it on one instance, test it on a fresh one, then distribute it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import RampartError
from localcloud.imagebuilder import distribution
from localcloud.imagebuilder.acting import ActionFailed
from localcloud.imagebuilder.cancellation import Cancellation, Cancelled
from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.compute import Compute, ComputeFailed, launch_request
from localcloud.imagebuilder.document import Document
from localcloud.imagebuilder.interpreter import Interpreter, values_of
from localcloud.imagebuilder.journal import Journal
from localcloud.imagebuilder.objects import S3Objects
from localcloud.imagebuilder.ports import MachineOf
from localcloud.imagebuilder.progress import BuildFailed, Progress, Workflow, component_failure
from localcloud.imagebuilder.refusals import Refusal
from localcloud.imagebuilder.registry import Record, Registry
from localcloud.imagebuilder.shell import MachineShell


@dataclass(frozen=True, slots=True)
class Part:
    """One component of the recipe with the parameters the recipe gives it."""

    arn: str
    document: Document
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """What to build, as it stood when the build was asked for. `image` is the live record of the result.

    `base` is the image of ours that the recipe starts from, if it does; `distribution` is the local region's.
    """

    image: Record
    recipe: Record
    parts: tuple[Part, ...]
    infrastructure: Record
    distribution: Record
    base: Record | None
    tests: bool
    log_group: str


class Build:
    """One build; `run` is its thread's work, `cancel` ends it early from another thread."""

    def __init__(
        self, order: Order, *, registry: Registry, clients: Clients, machine_of: MachineOf, folder: Path
    ) -> None:
        self._order = order
        self._registry = registry
        self._clients = clients
        self._machine_of = machine_of
        self._folder = folder
        self._cancellation = Cancellation()
        self._compute = Compute(clients, self._cancellation)
        self._kept: list[str] = []

    def cancel(self) -> None:
        """End the build at the next moment; its instances are terminated, its unfinished AMI removed."""
        self._cancellation.cancel()

    def discard_kept(self) -> None:
        """Terminate the instances that a failed build was told to keep."""
        with suppress(ComputeFailed):
            self._compute.terminate(self._kept)

    def run(self) -> None:
        """Build to the end; whatever happens, the image's state says it, after the last line is in the log."""
        image = self._order.image
        version, _, number = image["version"].partition("/")
        path = self._folder / image["arn"].rsplit("/", 3)[1] / f"{version}-{number}.log"
        logs = self._clients.of("logs")
        with Journal(logs, group=self._order.log_group, stream=image["version"], path=path) as journal:
            self._journal = journal
            progress = Progress(self._registry, image, journal.line)
            end = self._end(progress)
            progress.announce(end["status"])
            if "reason" in end:
                journal.line(end["reason"])
        progress.settle(end)
        self._cancellation.close()

    def _end(self, progress: Progress) -> Record:
        try:
            self._make(progress)
        except Cancelled:
            return {"status": "CANCELLED", "reason": "The build was cancelled."}
        except (BuildFailed, ComputeFailed, RampartError, BotoCoreError, ClientError) as error:
            return progress.failure(error)
        except Exception as error:  # a fault of the emulator itself must not leave a build that never ends
            for line in traceback.format_exc().splitlines():
                self._journal.line(line)
            return progress.failure(error)
        return {"status": "AVAILABLE"}

    def _make(self, progress: Progress) -> None:
        progress.move("CREATING")
        parent = self._compute.parent_image(self._order.recipe["parentImage"], self._order.base)
        self._journal.line(f"Resolved Image Recipe parent image {self._order.recipe['parentImage']} to AMI {parent}.")
        progress.move("BUILDING")
        name = self._image_name()
        with ExitStack() as undo:
            image_id = self._build(progress, parent, name, undo)
            if self._order.tests:
                progress.move("TESTING")
                self._test(progress, image_id)
            progress.move("DISTRIBUTING")
            with progress.workflow("DISTRIBUTION", "distribute-image", 2) as workflow:
                self._distribute(workflow, image_id)
                undo.pop_all()  # from here on the AMI is tested and tagged: it stays, whatever comes
                progress.publish(distribution.ami_record(image_id, name, self._registry.region))
                progress.move("INTEGRATING")
                with workflow.step("ApplyImageConfigurations", "ApplyImageConfigurations"):
                    distribution.publish(self._clients, image_id, self._order.distribution)

    def _build(self, progress: Progress, parent: str, name: str, undo: ExitStack) -> str:
        with (
            progress.workflow("BUILD", "build-image", 4) as workflow,
            self._instance(workflow, "Build", parent) as instance_id,
        ):
            with workflow.step("ApplyBuildComponents", "ExecuteComponents"):
                self._apply(instance_id, "build", "validate")
            with workflow.step("CreateOutputAMI", "CreateImage"):
                description = self._order.distribution.get("amiDistributionConfiguration", {}).get("description", "")
                self._cancellation.check()
                image_id = self._compute.create_image(instance_id, name, description)
                undo.callback(self._discard, image_id)
                self._compute.wait_for_image(image_id)
                self._journal.line(f"Created AMI {image_id} ({name})")
        return image_id

    def _test(self, progress: Progress, image_id: str) -> None:
        with (
            progress.workflow("TEST", "test-image", 3) as workflow,
            self._instance(workflow, "Test", image_id) as instance_id,
            workflow.step("ApplyTestComponents", "ExecuteComponents"),
        ):
            self._apply(instance_id, "test")

    def _distribute(self, workflow: Workflow, image_id: str) -> None:
        order = self._order
        with workflow.step("DistributeImage", "DistributeImage"):
            self._cancellation.check()
            distribution.mark(self._clients, image_id, order.distribution, order.recipe, order.image["arn"])

    @contextmanager
    def _instance(self, workflow: Workflow, purpose: str, image_id: str) -> Iterator[str]:
        """An instance for the length of a block; it ends with the block unless it is to be kept after a failure."""
        order = self._order
        started: list[str] = []
        try:
            with workflow.step(f"Launch{purpose}Instance", "LaunchInstance"):
                name = f"{purpose} instance for {order.recipe['name']}"
                request = launch_request(
                    order.infrastructure, order.recipe, image_id=image_id, name=name, image_arn=order.image["arn"]
                )
                started.append(self._compute.launch(request))
                self._journal.line(f"Launched instance (instance id: {started[0]})")
                self._compute.wait_until(started[0], "running")
            yield started[0]
        except Cancelled:
            self._terminate(started)
            raise
        except BaseException:
            if order.infrastructure.get("terminateInstanceOnFailure", True):
                self._terminate(started)
            else:
                self._kept += started
            raise
        with workflow.step(f"Terminate{purpose}Instance", "TerminateInstance"):
            self._compute.terminate(started)

    def _apply(self, instance_id: str, *phases: str) -> None:
        overrides = self._machine_of(instance_id).document_parameters()
        runs = [(part, self._interpreter(instance_id, part, overrides)) for part in self._order.parts]
        for phase in phases:
            for part, interpreter in runs:
                if part.document.phase(phase) is None:
                    continue
                self._journal.line(f"Document {part.arn}")
                failure = interpreter.run(phase)
                if failure is not None:
                    raise component_failure(part.arn, failure.phase, failure.step, failure.action, failure.message)
        self._journal.line("TOE has completed execution successfully")

    def _interpreter(self, instance_id: str, part: Part, overrides: dict[str, str]) -> Interpreter:
        values = values_of(part.document, part.parameters, overrides)

        def shell_of(deadline: float | None) -> MachineShell:
            return MachineShell(
                instance_id,
                machine_of=self._machine_of,
                working_directory=self._order.recipe.get("workingDirectory", ""),
                deadline=deadline,
                cancellation=self._cancellation,
                log=self._journal.line,
                restart=self._compute.restart,
                on_killed=self._compute.check_alive,
                objects=S3Objects(self._clients),
            )

        return Interpreter(
            part.document, values, shell_of=shell_of, log=self._journal.line, component_of=self._component
        )

    def _component(self, arn: str) -> str:
        try:
            return str(self._registry.resolve(arn)["data"])
        except (KeyError, Refusal) as error:
            raise ActionFailed(f"the component {arn} cannot be read: {error}") from error

    def _image_name(self) -> str:
        image, recipe = self._order.image, self._order.recipe
        return distribution.image_name(
            self._order.distribution, recipe["name"], build_date=image["dateCreated"], build_version=image["version"]
        )

    def _terminate(self, instance_ids: list[str]) -> None:
        try:
            self._compute.terminate(instance_ids)
        except ComputeFailed as error:
            self._journal.line(str(error))

    def _discard(self, image_id: str) -> None:
        try:
            self._compute.discard_image(image_id)
        except ComputeFailed as error:
            self._journal.line(str(error))
