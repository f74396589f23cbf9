"""Start, follow or cancel the builds of EC2 Image Builder pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from clients.aws.session import client_of, translated
from contracts.errors import CloudError
from contracts.image import BuildState, BuildStep, ComponentFailure, ImageBuild, LogPage

_OWNER_TAGS = ("rampart:stack", "rampart:event", "rampart:cost-center")


class Pipelines:
    """The Image Builder API of one region, with the logs that builds leave in CloudWatch."""

    def __init__(self, session: Any) -> None:
        self._builder = client_of(session, "imagebuilder")
        self._logs = client_of(session, "logs")
        self._region = session.region_name

    def start(self, pipeline_arn: str, client_token: str) -> str:
        """Begin a build and give its ARN; the same `client_token` never begins a second one. Raises CloudError.

        The image is tagged as its pipeline is: an image knows its owner no other way, and older ones are retired by it.
        """
        with translated("start the image pipeline"):
            pipeline = self._builder.get_image_pipeline(imagePipelineArn=pipeline_arn)["imagePipeline"]
            owner = {name: value for name, value in pipeline.get("tags", {}).items() if name in _OWNER_TAGS}
            answer = self._builder.start_image_pipeline_execution(
                imagePipelineArn=pipeline_arn, clientToken=client_token, **({"tags": owner} if owner else {})
            )
        return str(answer["imageBuildVersionArn"])

    def under_way(self, pipeline_arn: str) -> tuple[ImageBuild, ...]:
        """Give the pipeline's builds that have not come to their end, oldest first. Raises CloudError."""
        with translated("list the builds of the image pipeline"):
            images = self._all("list_image_pipeline_images", "imageSummaryList", imagePipelineArn=pipeline_arn)
        builds = (_build(image, self._region) for image in images)
        return tuple(sorted((build for build in builds if not build.state.is_over), key=_age))

    def status(self, build_arn: str) -> ImageBuild:
        """Ask where a build stands. Raises CloudError."""
        with translated("ask for the state of the image build"):
            image = self._builder.get_image(imageBuildVersionArn=build_arn)["image"]
        return _build(image, self._region)

    def cancel(self, build_arn: str) -> None:
        """End a build; its instance is terminated by Image Builder. One that is over already is left alone."""
        try:
            with translated("cancel the image build"):
                self._builder.cancel_image_creation(imageBuildVersionArn=build_arn)
        except CloudError as error:
            if not self.status(build_arn).state.is_over:
                raise error

    def step(self, build_arn: str) -> BuildStep | None:
        """Tell the workflow step that failed, else the one that runs, else None."""
        with translated("list the steps of the image build"):
            flows = self._all("list_workflow_executions", "workflowExecutions", imageBuildVersionArn=build_arn)
            steps = [
                step
                for flow in flows
                for step in self._all(
                    "list_workflow_step_executions", "steps", workflowExecutionId=flow["workflowExecutionId"]
                )
            ]
        for status in ("FAILED", "RUNNING"):
            for step in steps:
                if step.get("status") == status:
                    return BuildStep(step.get("name", ""), status == "FAILED", step.get("message", ""))
        return None

    def log(self, build: ImageBuild, token: str | None) -> LogPage:
        """Give the lines of a build's log after `token` (None: from its beginning); none while there is no log yet."""
        lines: list[str] = []
        place = {
            "logGroupName": build.log_group,
            "logStreamName": build.log_stream,
            # The stream is named by version and build alone: in a group that recipes share, one of the same version
            # may have written to it before.
            "startTime": int(build.started_at.timestamp() * 1000),
            "startFromHead": True,
        }
        while True:
            try:
                with translated("read the log of the image build"):
                    page = self._logs.get_log_events(**place, **({"nextToken": token} if token else {}))
            except CloudError as error:
                if error.code == "ResourceNotFoundException":
                    return LogPage((), token)
                raise
            lines += [line for event in page["events"] for line in event["message"].splitlines()]
            following = page.get("nextForwardToken", token)
            # the same token again means the end of what is there by now; an empty page alone does not
            if following == token:
                return LogPage(tuple(lines), following)
            token = following

    def _all(self, verb: str, key: str, **query: Any) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        token: str | None = None
        while True:
            page = getattr(self._builder, verb)(**query, **({"nextToken": token} if token else {}))
            found += page.get(key, [])
            token = page.get("nextToken")
            if not token:
                return found


def _age(build: ImageBuild) -> tuple[datetime, int]:
    """Order builds from the oldest on; of two of one moment the lower number was first."""
    return build.started_at, int(build.build_arn.rsplit("/", 1)[-1])


def _build(image: Mapping[str, Any], region: str) -> ImageBuild:
    arn, state = image["arn"], image.get("state", {})
    amis = image.get("outputResources", {}).get("amis", [])
    own: Mapping[str, Any] = next((ami for ami in amis if ami.get("region") == region), {})
    name = image.get("name", "")
    group = image.get("loggingConfiguration", {}).get("logGroupName")
    return ImageBuild(
        build_arn=arn,
        state=BuildState(state.get("status", "PENDING")),
        started_at=datetime.fromisoformat(image["dateCreated"]),
        reason=state.get("reason", ""),
        image_id=own.get("image", ""),
        image_name=own.get("name", ""),
        has_tests=image.get("imageTestsConfiguration", {}).get("imageTestsEnabled", True),
        log_group=group or f"/aws/imagebuilder/{name}",
        log_stream="/".join(arn.rsplit("/", 2)[1:]),
        failure=_failure(state.get("failureContext", {}).get("componentFailure")),
    )


def _failure(told: Mapping[str, Any] | None) -> ComponentFailure | None:
    if told is None:
        return None
    component = told.get("componentArn", "").split("/")
    return ComponentFailure(
        component=component[1] if len(component) > 1 else "",
        phase=told.get("phaseName", ""),
        step=told.get("stepName", ""),
    )
