"""Images are really built, on instances of the local cloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcloud.imagebuilder import ImageBuilderServer
from tests.integration.clouds import Cloud, client_of
from tests.integration.localcloud.imagebuilder.builders import Builder, document

SAY_HELLO = "echo hello > {{ Home }}/hello.txt"
FIND_HELLO = "grep hello {{ Home }}/hello.txt"


def test_what_a_document_makes_is_in_the_image_and_in_every_instance_of_it(builder: Builder) -> None:
    image = builder.build(document(build=SAY_HELLO, validate=FIND_HELLO, test=FIND_HELLO))
    ended = image.ended()
    assert ended["state"] == {"status": "AVAILABLE"}
    [ami] = image.amis()
    assert ended["outputResources"]["amis"][0]["image"] == ami["ImageId"]
    assert image.instances() == ["terminated", "terminated"]
    instance = builder.cloud.launch(ImageId=ami["ImageId"])
    assert builder.cloud.ssh(instance["PublicIpAddress"], "cat hello.txt").stdout == b"hello\n"
    builder.cloud.terminate(instance["InstanceId"])
    log = image.log()
    states = [line.split()[3] for line in log if line.startswith("Image transitioned")]
    assert states == ["CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING", "AVAILABLE"]
    assert [line for line in log if line.startswith("Phase ")] == ["Phase build", "Phase validate", "Phase test"]
    assert log.count("Stdout: hello") == 2


def test_a_failed_validation_leaves_no_image_and_names_the_step(builder: Builder) -> None:
    image = builder.build(document(build="true", validate="echo it is broken >&2; exit 9"))
    state = image.ended()["state"]
    assert state["status"] == "FAILED"
    assert "Workflow Execution ID: wf-" in state["reason"]
    assert "phase validate, step validate-step: exit code 9" in state["reason"]
    assert state["failureContext"]["componentFailure"]["stepName"] == "validate-step"
    assert image.amis() == []
    assert image.instances() == ["terminated"]
    assert "Stderr: it is broken" in image.log()


def test_a_failed_test_takes_the_image_away_again(builder: Builder) -> None:
    snapshots = len(own_snapshots(builder.cloud))
    image = builder.build(document(build=SAY_HELLO, test="exit 1"))
    state = image.ended()["state"]
    assert (state["status"], state["failureContext"]["imageStatus"]) == ("FAILED", "TESTING")
    assert image.amis() == []
    assert image.instances() == ["terminated", "terminated"]
    assert len(own_snapshots(builder.cloud)) == snapshots


def test_the_failing_workflow_step_can_be_looked_up(builder: Builder) -> None:
    image = builder.build(document(build="exit 5"))
    image.ended()
    [workflow] = builder.client.list_workflow_executions(imageBuildVersionArn=image.arn)["workflowExecutions"]
    assert (workflow["type"], workflow["status"], workflow["totalStepsFailed"]) == ("BUILD", "FAILED", 1)
    steps = builder.client.list_workflow_step_executions(workflowExecutionId=workflow["workflowExecutionId"])["steps"]
    assert [(step["name"], step["status"]) for step in steps] == [
        ("LaunchBuildInstance", "COMPLETED"),
        ("ApplyBuildComponents", "FAILED"),
    ]
    step = builder.client.get_workflow_step_execution(stepExecutionId=steps[1]["stepExecutionId"])
    assert "exit code 5" in step["message"]
    assert builder.client.get_workflow_execution(workflowExecutionId=workflow["workflowExecutionId"])["type"] == "BUILD"


def test_the_log_can_be_read_while_it_builds_and_a_cancelled_build_leaves_nothing(builder: Builder) -> None:
    image = builder.build(document(build="echo begun; sleep 600"))
    builder.wait(lambda: "Stdout: begun" in image.log())
    assert (image.status, image.instances()) == ("BUILDING", ["running"])
    builder.client.cancel_image_creation(imageBuildVersionArn=image.arn)
    assert image.ended()["state"]["status"] == "CANCELLED"
    assert image.amis() == []
    assert image.instances() == ["terminated"]


def test_a_pipeline_distributes_as_configured(builder: Builder) -> None:
    ec2, client = builder.cloud.client("ec2"), builder.client
    template = ec2.create_launch_template(LaunchTemplateName="hosts", LaunchTemplateData={"InstanceType": "t3.small"})
    template_id = template["LaunchTemplate"]["LaunchTemplateId"]
    distribution: dict[str, Any] = {
        "region": builder.cloud.environment["AWS_DEFAULT_REGION"],
        "amiDistributionConfiguration": {
            "name": "iris-backend {{ imagebuilder:buildDate }}",
            "amiTags": {"rampart:status": "tested"},
        },
        "ssmParameterConfigurations": [{"parameterName": "/rampart/iris/ami", "dataType": "aws:ec2:image"}],
        "launchTemplateConfigurations": [{"launchTemplateId": template_id, "setDefaultVersion": True}],
    }
    configured = client.create_distribution_configuration(name="iris-distribution", distributions=[distribution])
    pipeline = client.create_image_pipeline(
        name="iris-pipeline",
        imageRecipeArn=builder.recipe(document(build=SAY_HELLO)),
        infrastructureConfigurationArn=builder.infrastructure(resourceTags={"rampart:event": "iris"}),
        distributionConfigurationArn=configured["distributionConfigurationArn"],
        imageTestsConfiguration={"imageTestsEnabled": False},
    )["imagePipelineArn"]
    arn = client.start_image_pipeline_execution(imagePipelineArn=pipeline)["imageBuildVersionArn"]
    builder.wait(lambda: client.get_image(imageBuildVersionArn=arn)["image"]["state"]["status"] == "AVAILABLE")
    [summary] = client.list_image_pipeline_images(imagePipelineArn=pipeline)["imageSummaryList"]
    image_id = summary["outputResources"]["amis"][0]["image"]
    [ami] = ec2.describe_images(ImageIds=[image_id], Owners=["self"])["Images"]
    assert ami["Name"].startswith("iris-backend 20")
    assert {"Key": "rampart:status", "Value": "tested"} in ami["Tags"]
    assert builder.cloud.client("ssm").get_parameter(Name="/rampart/iris/ami")["Parameter"]["Value"] == image_id
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template_id, Versions=["$Default"])
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert (data["ImageId"], data["InstanceType"]) == (image_id, "t3.small")


def test_two_builds_run_side_by_side(builder: Builder) -> None:
    meet = "echo here; sleep 600"
    images = [builder.build(document(build=meet)) for _ in range(2)]
    builder.wait(lambda: all("Stdout: here" in image.log() for image in images))
    for image in images:
        builder.client.cancel_image_creation(imageBuildVersionArn=image.arn)
    assert [image.ended()["state"]["status"] for image in images] == ["CANCELLED", "CANCELLED"]


def test_a_restart_in_between_keeps_the_files_and_ends_the_processes(builder: Builder) -> None:
    script = """set -eu
if [ -f {{ Home }}/restarted ]; then ! grep -qs sleep "/proc/$(cat {{ Home }}/restarted)/cmdline"; exit; fi
nohup sleep 987 >/dev/null 2>&1 &
echo $! > {{ Home }}/restarted
exit 194"""
    image = builder.build(document(build=script), imageTestsConfiguration={"imageTestsEnabled": False})
    assert image.ended()["state"] == {"status": "AVAILABLE"}
    assert image.log().count("ExitCode 194") == 1


def test_a_step_past_its_time_is_ended_on_the_machine_with_all_it_started(builder: Builder) -> None:
    slow = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Slow
        action: ExecuteBash
        timeoutSeconds: 1
        onFailure: Ignore
        inputs: {commands: ["setsid sleep 4321 & sleep 4321"]}
      - name: Look
        action: ExecuteBash
        inputs: {commands: ["! pgrep -f 'sleep 432[1]'"]}
"""
    image = builder.build(slow, imageTestsConfiguration={"imageTestsEnabled": False})
    assert image.ended()["state"] == {"status": "AVAILABLE"}
    assert "Step Slow failed: timed out after 1 seconds" in image.log()


def test_an_instance_lost_during_its_build_is_the_reason_given(builder: Builder) -> None:
    image = builder.build(document(build="echo begun; sleep 600"))
    builder.wait(lambda: "Stdout: begun" in image.log())
    [launched] = [line for line in image.log() if line.startswith("Launched instance")]
    builder.cloud.terminate(launched.rstrip(")").split()[-1])
    state = image.ended()["state"]
    assert state["status"] == "FAILED"
    assert "is terminated, not running" in state["reason"]


def test_an_instance_that_cannot_be_launched_fails_the_build(builder: Builder) -> None:
    image = builder.build(document(build="true"), infrastructure=builder.infrastructure(subnetId="subnet-none"))
    state = image.ended()["state"]
    assert state["status"] == "FAILED"
    assert "failed at step LaunchBuildInstance: the instance cannot be launched" in state["reason"]


def test_a_failed_build_keeps_its_instance_where_that_is_asked(builder: Builder) -> None:
    keeping = builder.infrastructure(terminateInstanceOnFailure=False)
    image = builder.build(document(build="exit 1"), infrastructure=keeping)
    image.ended()
    assert image.instances() == ["running"]


def test_an_image_of_ours_can_be_the_parent_of_another(builder: Builder) -> None:
    first = builder.build(document(build=SAY_HELLO), imageTestsConfiguration={"imageTestsEnabled": False})
    first.ended()
    parent = first.arn.rsplit("/", 2)[0] + "/x.x.x"
    answer = builder.client.create_image(
        imageRecipeArn=builder.recipe(document(build=FIND_HELLO), parent),
        infrastructureConfigurationArn=builder.infrastructure(),
        imageTestsConfiguration={"imageTestsEnabled": False},
    )
    arn = answer["imageBuildVersionArn"]
    builder.wait(lambda: builder.client.get_image(imageBuildVersionArn=arn)["image"]["state"]["status"] == "AVAILABLE")


def test_stopping_ends_builds_and_kept_instances(builder: Builder, tmp_path: Path) -> None:
    environment = builder.cloud.environment
    server = ImageBuilderServer(
        ec2_endpoint=environment["AWS_ENDPOINT_URL"],
        region=environment["AWS_DEFAULT_REGION"],
        machine_of=builder.cloud.local.machine,
        folder=tmp_path,
    )
    url = server.start()
    own = Builder(builder.cloud, client_of({**environment, "AWS_ENDPOINT_URL_IMAGEBUILDER": url}, "imagebuilder"))
    kept = own.build(document(build="exit 1"), infrastructure=own.infrastructure(terminateInstanceOnFailure=False))
    kept.ended()
    running = own.build(document(build="echo begun; sleep 600"))
    own.wait(lambda: "Stdout: begun" in running.log())
    assert [*kept.instances(), *running.instances()] == ["running", "running"]
    server.stop()
    server.stop()
    assert [*kept.instances(), *running.instances()] == ["terminated", "terminated"]
    [log] = [path for path in tmp_path.rglob("*.log") if "begun" in path.read_text()]
    assert "CANCELLED" in log.read_text()


def own_snapshots(cloud: Cloud) -> list[dict[str, Any]]:
    snapshots: list[dict[str, Any]] = cloud.client("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"]
    return snapshots
