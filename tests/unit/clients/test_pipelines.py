"""What Image Builder says about a build is read as it is documented."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from clients.aws.pipelines import Pipelines
from contracts.errors import CloudError
from contracts.image import BuildState, BuildStep, ComponentFailure, ImageBuild, LogPage

PIPELINE = "arn:aws:imagebuilder:eu-west-3:123456789012:image-pipeline/iris"
ARN = "arn:aws:imagebuilder:eu-west-3:123456789012:image/iris/1.0.7/2"
FLOWS = [f"wf-00000000-0000-0000-0000-00000000000{n}" for n in range(2)]
BUILD = ImageBuild(
    ARN,
    BuildState.BUILDING,
    datetime(2026, 11, 20, tzinfo=UTC),
    log_group="/aws/imagebuilder/Iris",
    log_stream="1.0.7/2",
)


class StubbedSession:
    """A session whose clients answer what a test told them, and check what they were asked."""

    region_name = "eu-west-3"

    def __init__(self) -> None:
        self.clients = {
            service: boto3.client(
                service, region_name=self.region_name, aws_access_key_id="testing", aws_secret_access_key="testing"
            )
            for service in ("imagebuilder", "logs")
        }
        self.builder = Stubber(self.clients["imagebuilder"])
        self.logs = Stubber(self.clients["logs"])

    def client(self, service: str, **_: Any) -> Any:
        return self.clients[service]


@pytest.fixture
def session() -> Iterator[StubbedSession]:
    made = StubbedSession()
    with made.builder, made.logs:
        yield made
        made.builder.assert_no_pending_responses()
        made.logs.assert_no_pending_responses()


def image(status: str, **more: Any) -> dict[str, Any]:
    return {
        "image": {
            "arn": ARN,
            "name": "Iris",
            "dateCreated": "2026-11-20T00:00:00.000Z",
            "state": {"status": status},
            **more,
        }
    }


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        (
            {"Name": "image", "rampart:managed-by": "pulumi", "rampart:stack": "iris", "rampart:event": "iris"},
            {"tags": {"rampart:stack": "iris", "rampart:event": "iris"}},
        ),
        ({}, {}),
    ],
)
def test_a_build_is_started_with_its_token_and_as_its_pipelines_owners(
    session: StubbedSession, tags: dict[str, str], told: dict[str, Any]
) -> None:
    session.builder.add_response(
        "get_image_pipeline", {"imagePipeline": {"tags": tags}}, {"imagePipelineArn": PIPELINE}
    )
    session.builder.add_response(
        "start_image_pipeline_execution",
        {"imageBuildVersionArn": ARN},
        {"imagePipelineArn": PIPELINE, "clientToken": "token-1", **told},
    )
    assert Pipelines(session).start(PIPELINE, "token-1") == ARN


def test_a_running_build_is_read_with_the_place_of_its_log(session: StubbedSession) -> None:
    session.builder.add_response("get_image", image("BUILDING"), {"imageBuildVersionArn": ARN})
    assert Pipelines(session).status(ARN) == BUILD


def test_the_components_failure_is_read_as_image_builder_tells_it(session: StubbedSession) -> None:
    failure = {
        "componentArn": "arn:aws:imagebuilder:eu-west-3:123456789012:component/rampart-iris-kit-1/1.0.7/1",
        "phaseName": "build",
        "stepName": "FetchKit",
        "action": "ExecuteBash",
        "errorMessage": "exit code 128",
    }
    state = {"status": "FAILED", "reason": "it failed", "failureContext": {"componentFailure": failure}}
    session.builder.add_response("get_image", image("FAILED", state=state))
    build = Pipelines(session).status(ARN)
    assert build.failure == ComponentFailure("rampart-iris-kit-1", "build", "FetchKit")
    assert (build.state, build.reason) == (BuildState.FAILED, "it failed")


def test_the_builds_of_a_pipeline_that_are_under_way_are_given_oldest_first(session: StubbedSession) -> None:
    def summary(number: int, status: str, minute: int) -> dict[str, Any]:
        arn = f"{ARN.rsplit('/', 1)[0]}/{number}"
        created = f"2026-11-20T00:{minute:02}:00.000Z"
        return {"arn": arn, "name": "Iris", "dateCreated": created, "state": {"status": status}}

    pages = [
        [summary(1, "AVAILABLE", 0), summary(4, "TESTING", 9)],
        [summary(3, "PENDING", 9), summary(2, "FAILED", 1)],
    ]
    session.builder.add_response(
        "list_image_pipeline_images", {"imageSummaryList": pages[0], "nextToken": "t"}, {"imagePipelineArn": PIPELINE}
    )
    session.builder.add_response(
        "list_image_pipeline_images",
        {"imageSummaryList": pages[1]},
        {"imagePipelineArn": PIPELINE, "nextToken": "t"},
    )
    found = Pipelines(session).under_way(PIPELINE)
    assert [build.build_arn[-1] for build in found] == ["3", "4"]


def test_of_the_images_made_that_of_the_own_region_counts(session: StubbedSession) -> None:
    amis = [{"region": "us-east-1", "image": "ami-us"}, {"region": "eu-west-3", "image": "ami-eu", "name": "iris 1"}]
    answer = image("AVAILABLE", outputResources={"amis": amis}, imageTestsConfiguration={"imageTestsEnabled": False})
    session.builder.add_response("get_image", answer)
    build = Pipelines(session).status(ARN)
    assert (build.image_id, build.image_name, build.has_tests) == ("ami-eu", "iris 1", False)


def test_a_log_group_of_ones_own_is_used(session: StubbedSession) -> None:
    session.builder.add_response("get_image", image("BUILDING", loggingConfiguration={"logGroupName": "mine"}))
    assert Pipelines(session).status(ARN).log_group == "mine"


def test_the_failed_step_goes_before_the_running_one(session: StubbedSession) -> None:
    session.builder.add_response(
        "list_workflow_executions", {"workflowExecutions": [{"workflowExecutionId": FLOWS[0]}], "nextToken": "t"}
    )
    session.builder.add_response(
        "list_workflow_executions", {"workflowExecutions": [{"workflowExecutionId": FLOWS[1]}]}
    )
    session.builder.add_response(
        "list_workflow_step_executions", {"steps": [{"name": "LaunchBuildInstance", "status": "COMPLETED"}]}
    )
    steps = [
        {"name": "Clean", "status": "RUNNING"},
        {"name": "ApplyBuildComponents", "status": "FAILED", "message": "exit code 3"},
    ]
    session.builder.add_response("list_workflow_step_executions", {"steps": steps})
    assert Pipelines(session).step(ARN) == BuildStep("ApplyBuildComponents", True, "exit code 3")


def test_log_lines_are_read_from_the_builds_start_page_by_page_until_the_token_stays(session: StubbedSession) -> None:
    place = {
        "logGroupName": "/aws/imagebuilder/Iris",
        "logStreamName": "1.0.7/2",
        "startTime": 1795132800000,
        "startFromHead": True,
    }
    first = {"events": [{"message": "one\ntwo"}], "nextForwardToken": "f/1"}
    second = {"events": [{"message": "three"}], "nextForwardToken": "f/2"}
    session.logs.add_response("get_log_events", first, place)
    session.logs.add_response("get_log_events", second, {**place, "nextToken": "f/1"})
    session.logs.add_response(
        "get_log_events", {"events": [], "nextForwardToken": "f/2"}, {**place, "nextToken": "f/2"}
    )
    assert Pipelines(session).log(BUILD, None) == LogPage(("one", "two", "three"), "f/2")


def test_an_empty_page_is_not_the_end_of_a_log(session: StubbedSession) -> None:
    for events, token in (([], "f/1"), ([{"message": "late"}], "f/2"), ([], "f/2")):
        session.logs.add_response("get_log_events", {"events": events, "nextForwardToken": token})
    assert Pipelines(session).log(BUILD, None) == LogPage(("late",), "f/2")


def test_a_log_that_does_not_exist_yet_has_no_lines(session: StubbedSession) -> None:
    session.logs.add_client_error("get_log_events", "ResourceNotFoundException")
    assert Pipelines(session).log(BUILD, None) == LogPage((), None)


def test_cancelling_what_is_over_is_fine_but_a_refusal_for_a_running_build_is_told(session: StubbedSession) -> None:
    session.builder.add_client_error("cancel_image_creation", "InvalidRequestException")
    session.builder.add_response("get_image", image("AVAILABLE"))
    Pipelines(session).cancel(ARN)
    session.builder.add_client_error("cancel_image_creation", "ForbiddenException")
    session.builder.add_response("get_image", image("BUILDING"))
    with pytest.raises(CloudError, match="cancel the image build"):
        Pipelines(session).cancel(ARN)
