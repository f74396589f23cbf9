"""Answer for image builds, from their start to their deletion."""

from __future__ import annotations

import copy
import threading
from pathlib import Path

from localcloud.imagebuilder import arns
from localcloud.imagebuilder.build import Build, Order, Part
from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.components import parse, version_arn
from localcloud.imagebuilder.ports import MachineOf
from localcloud.imagebuilder.refusals import Refusal, missing
from localcloud.imagebuilder.registry import Record, Registry, chosen, now, page

ENDED = frozenset({"AVAILABLE", "FAILED", "CANCELLED", "DEPRECATED", "DELETED", "DISABLED"})


class Images:
    """The operations on images and their workflows; it owns the threads that build."""

    def __init__(self, registry: Registry, clients: Clients, machine_of: MachineOf, folder: Path) -> None:
        self._registry = registry
        self._clients = clients
        self._machine_of = machine_of
        self._folder = folder
        self._builds: dict[str, tuple[Build, threading.Thread]] = {}
        self._closed = False

    def start_pipeline(self, arguments: Record) -> Record:
        """StartImagePipelineExecution: build what the pipeline says now."""
        pipeline = self._registry.get(arguments["imagePipelineArn"])
        if pipeline["status"] != "ENABLED":
            raise Refusal("InvalidRequestException", f"The pipeline '{pipeline['arn']}' is disabled.")
        wanted = {**pipeline, "tags": {**pipeline.get("imageTags", {}), **arguments.get("tags", {})}}
        logging = pipeline.get("loggingConfiguration", {})
        answer = self._start(wanted, pipeline=pipeline, log_group=logging.get("imageLogGroupName"))
        with self._registry.lock:
            pipeline["dateLastRun"] = now()
        return answer

    def create(self, arguments: Record) -> Record:
        """CreateImage: build without a pipeline."""
        if arguments.get("imageRecipeArn") is None:
            raise Refusal("InvalidRequestException", "The local cloud builds AMIs: 'imageRecipeArn' is needed.")
        log_group = arguments.get("loggingConfiguration", {}).get("logGroupName")
        return self._start(arguments, pipeline=None, log_group=log_group)

    def get(self, arguments: Record) -> Record:
        """GetImage, by an ARN that may lack the build number or hold wildcards."""
        return {"image": self._registry.resolve(arguments["imageBuildVersionArn"])}

    def list(self, arguments: Record) -> Record:
        """ListImages: one entry per version."""
        own = arguments.get("owner", "Self") == "Self"
        records = self._registry.of_kind("image") if own else []
        versions = {version_arn(record): record for record in records}
        listed = [{**record, "arn": arn, "version": arns.read(arn).version} for arn, record in versions.items()]
        return page("imageVersionList", chosen(listed, arguments.get("filters", ())), arguments)

    def list_build_versions(self, arguments: Record) -> Record:
        """ListImageBuildVersions, of one version or of all images."""
        wanted = arguments.get("imageVersionArn")
        records = [record for record in self._registry.of_kind("image") if wanted in (None, version_arn(record))]
        return page("imageSummaryList", chosen(records, arguments.get("filters", ())), arguments)

    def list_of_pipeline(self, arguments: Record) -> Record:
        """ListImagePipelineImages."""
        pipeline = self._registry.get(arguments["imagePipelineArn"])
        records = [
            record for record in self._registry.of_kind("image") if record.get("sourcePipelineArn") == pipeline["arn"]
        ]
        return page("imageSummaryList", chosen(records, arguments.get("filters", ())), arguments)

    def cancel(self, arguments: Record) -> Record:
        """CancelImageCreation: the state becomes CANCELLED once the instances are gone."""
        arn = arguments["imageBuildVersionArn"]
        image = self._registry.get(arn)
        if image["state"]["status"] in ENDED:
            raise Refusal("InvalidRequestException", f"The image '{arn}' is {image['state']['status']} already.")
        self._builds[arn][0].cancel()
        return {"imageBuildVersionArn": arn}

    def delete(self, arguments: Record) -> Record:
        """DeleteImage: forget the build; its AMI stays, as on AWS."""
        arn = arguments["imageBuildVersionArn"]
        with self._registry.lock:
            image = self._registry.get(arn)
            if image["state"]["status"] not in ENDED:
                raise Refusal("ResourceInUseException", f"The image '{arn}' is being built; cancel it first.")
            self._registry.remove(arn)
        return {"imageBuildVersionArn": arn}

    def list_workflows(self, arguments: Record) -> Record:
        """ListWorkflowExecutions of one image build."""
        arn = arguments["imageBuildVersionArn"]
        self._registry.get(arn)
        found = [record for record in self._registry.workflows.values() if record["imageBuildVersionArn"] == arn]
        return {**page("workflowExecutions", found, arguments), "imageBuildVersionArn": arn}

    def list_steps(self, arguments: Record) -> Record:
        """ListWorkflowStepExecutions of one workflow execution."""
        workflow = self._workflow(arguments["workflowExecutionId"])
        about = {name: value for name, value in workflow.items() if name in _WORKFLOW_IDS}
        return {**page("steps", workflow["steps"], arguments), **about}

    def get_workflow(self, arguments: Record) -> Record:
        """GetWorkflowExecution."""
        return self._workflow(arguments["workflowExecutionId"])

    def get_step(self, arguments: Record) -> Record:
        """GetWorkflowStepExecution."""
        wanted = arguments["stepExecutionId"]
        for workflow in self._registry.workflows.values():
            for step in workflow["steps"]:
                if step["stepExecutionId"] == wanted:
                    return {**{name: workflow[name] for name in _WORKFLOW_IDS}, **step}
        raise missing(wanted)

    def close(self) -> None:
        """Cancel what is being built, wait for its end, terminate what failed builds left running."""
        with self._registry.lock:
            self._closed = True
            builds = list(self._builds.values())
        for build, _ in builds:
            build.cancel()
        for build, thread in builds:
            thread.join()
            build.discard_kept()

    def _start(self, wanted: Record, *, pipeline: Record | None, log_group: str | None) -> Record:
        with self._registry.lock:
            if self._closed:
                raise Refusal("ServiceUnavailableException", "The local cloud is being stopped.")
            order = self._order(wanted, pipeline, log_group)
            arn: str = order.image["arn"]
            build = Build(
                order,
                registry=self._registry,
                clients=self._clients,
                machine_of=self._machine_of,
                folder=self._folder,
            )
            thread = threading.Thread(target=build.run, name=f"imagebuilder-build-{arn.rsplit('/', 3)[1]}")
            self._registry.add(order.image)
            self._builds[arn] = build, thread
            thread.start()
        return {"imageBuildVersionArn": arn}

    def _order(self, wanted: Record, pipeline: Record | None, log_group: str | None) -> Order:
        """Freeze everything a build needs: later changes of the pipeline do not touch it."""
        resolve = self._registry.resolve
        recipe = copy.deepcopy(resolve(wanted["imageRecipeArn"]))
        infrastructure = copy.deepcopy(resolve(wanted["infrastructureConfigurationArn"]))
        distributing = wanted.get("distributionConfigurationArn")
        configuration = copy.deepcopy(resolve(distributing)) if distributing else None
        image = self._image(wanted, recipe, infrastructure, configuration, pipeline)
        if log_group is not None:
            image["loggingConfiguration"] = {"logGroupName": log_group}
        return Order(
            image=image,
            recipe=recipe,
            parts=tuple(self._part(configured) for configured in recipe["components"]),
            infrastructure=infrastructure,
            distribution=configuration["distributions"][0] if configuration else {},
            base=self._base(recipe["parentImage"]),
            tests=wanted.get("imageTestsConfiguration", {}).get("imageTestsEnabled", True),
            log_group=log_group or f"/aws/imagebuilder/{recipe['name'].replace(' ', '-')}",
        )

    def _image(
        self,
        wanted: Record,
        recipe: Record,
        infrastructure: Record,
        configuration: Record | None,
        pipeline: Record | None,
    ) -> Record:
        version = recipe["version"]
        number = self._registry.next_build(self._registry.arn("image", recipe["name"], version))
        image: Record = {
            "arn": self._registry.arn("image", recipe["name"], version, number),
            "type": "AMI",
            "name": recipe["name"],
            "version": f"{version}/{number}",
            "platform": "Linux",
            "owner": arns.ACCOUNT,
            "state": {"status": "PENDING"},
            "imageRecipe": recipe,
            "infrastructureConfiguration": infrastructure,
            "distributionConfiguration": configuration,
            "imageTestsConfiguration": wanted.get("imageTestsConfiguration", {"imageTestsEnabled": True}),
            "dateCreated": now(),
            "outputResources": {"amis": []},
            "tags": dict(wanted.get("tags", {})),
            "buildType": "USER_INITIATED",
            "imageSource": "CUSTOM",
        }
        if pipeline is not None:
            image |= {"sourcePipelineName": pipeline["name"], "sourcePipelineArn": pipeline["arn"]}
        return image

    def _part(self, configured: Record) -> Part:
        component = self._registry.resolve(configured["componentArn"])
        given = {parameter["name"]: parameter["value"][0] for parameter in configured.get("parameters", ())}
        return Part(component["arn"], parse(component["data"]), given)

    def _base(self, parent: str) -> Record | None:
        """The newest available image of ours that a recipe's parent means, if it means one."""
        if not parent.startswith("arn:") or arns.read(parent).owner != arns.ACCOUNT:
            return None
        available = [record for record in self._registry.of_kind("image") if record["state"]["status"] == "AVAILABLE"]
        return copy.deepcopy(self._registry.resolve(parent, among=available))

    def _workflow(self, execution_id: str) -> Record:
        try:
            return self._registry.workflows[execution_id]
        except KeyError:
            raise missing(execution_id) from None


_WORKFLOW_IDS = ("workflowExecutionId", "workflowBuildVersionArn", "imageBuildVersionArn")
