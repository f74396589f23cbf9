"""A build that goes wrong ends with one clear line and its log kept, leaves nothing running, and the next one works."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import boto3
import pytest

from clients.aws.pipelines import Pipelines
from contracts.errors import ImageBuildFailed, ImageBuildUnderWay, RampartError
from contracts.image import ImageReference
from imagebuilder.building import build as builds
from imagebuilder.building.kept_log import KeptLog
from localcloud.injections import LostAnswer, StuckImage, Throttle
from tests.integration.clouds import Cloud
from tests.integration.localcloud.imagebuilder.builders import Builder, document

PROFILE = "faulty-builds"
FINE = document(build="true")
HANGS = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Hang
        action: ExecuteBash
        timeoutSeconds: 1
        inputs: {commands: ["echo waiting; sleep 600"]}
"""
# a file system of its own where the machine may have one, else the device that is always full
FILLS_THE_DISK = """mkdir -p /small && mount -t tmpfs -o size=64k tmpfs /small && disk=/small/file || disk=/dev/full
head -c 1000000 /dev/zero > "$disk\""""
# what a build needs of a kit to ask for a secret, and an account that has none
ASKS_FOR_A_SECRET = """set -eu
mkdir -p '{{ Home }}/rampart/kits/iris' /usr/local/bin
echo 'print("never run")' > '{{ Home }}/rampart/kits/iris/download_data.py'
cat > /usr/local/bin/aws <<'END'
#!/bin/sh
echo "An error occurred (ResourceNotFoundException) when calling the GetSecretValue operation: \
Secrets Manager can't find the specified secret." >&2
exit 254
END
chmod +x /usr/local/bin/aws"""
ASKS_FOR_TOO_MUCH = """set -eu
mkdir -p '{{ Home }}/rampart/kits/iris'
printf -- '--no-index\\nno-such-package==1\\n' > '{{ Home }}/rampart/kits/iris/requirements.txt'"""
RESTARTS = """[ -f '{{ Home }}/again' ] && exit 3
touch '{{ Home }}/again'
exit 194"""
CHATTERS = "yes 'the same line, again and again and again' | head -c 4000000; echo the end; exit 5"
VALUES = {
    "Prefix": "/home/ubuntu/rampart",
    "Problem": "iris",
    "Environment": sys.prefix,
    "KitUrl": "file:///nowhere/iris",
    "KitRef": "HEAD",
    "LoginArn": "arn:aws:secretsmanager:eu-west-3:123456789012:secret:osf",
    "SearchedFolders": "/var/tmp",
}


def of_ours(name: str) -> str:
    """One of our own documents."""
    return (resources.files("imagebuilder") / "components" / f"{name}.yml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Fault:
    """Documents that fail together, and what is told of it: place, exit code, a line of the log, probable cause."""

    documents: tuple[str, ...]
    step: str
    exit_code: int | None
    says: str
    cause: str = ""


FAULTS = {
    "a step that fails": Fault(
        (document(build="echo oh >&2; exit 7"),), "phase build, step build-step", 7, "Stderr: oh"
    ),
    "a step that hangs": Fault((HANGS,), "phase build, step Hang", None, "Stdout: waiting", "did not end in its time"),
    "a step that fails after a restart": Fault(
        (document(build=RESTARTS),), "phase build, step build-step", 3, "ExitCode 194"
    ),
    "megabytes": Fault((document(build=CHATTERS),), "phase build, step build-step", 5, "ExitCode 5"),
    "a full disk": Fault(
        (document(build=FILLS_THE_DISK),),
        "phase build, step build-step",
        1,
        "No space left on device",
        "disk is full: raise infra.image.volume_gib",
    ),
    "a kit that is nowhere": Fault(
        (of_ours("challenge-kit-git"),),
        "phase build, step FetchKit",
        128,
        "does not appear to be a git repository",
        "the kit's repository cannot be read",
    ),
    "an environment that does not resolve": Fault(
        (document(build=ASKS_FOR_TOO_MUCH), of_ours("challenge-environment-venv")),
        "phase build, step CreateEnvironment",
        1,
        "No matching distribution found for no-such-package",
        "the environment does not resolve",
    ),
    "a secret that is missing": Fault(
        (document(build=ASKS_FOR_A_SECRET), of_ours("private-data-osf")),
        "phase build, step DownloadPrivateData",
        1,
        "Secrets Manager can't find the specified secret",
        "a secret is missing",
    ),
}


@dataclass
class Workshop:
    """One pipeline whose recipe changes from build to build: what failed before must not hinder what comes after."""

    builder: Builder
    folder: Path
    name: str = field(default_factory=lambda: f"faulty-{uuid.uuid4().hex[:12]}")
    pipeline: str = ""
    on_line: Callable[[str], None] = lambda _: None
    good: list[str] = field(default_factory=list)

    def order(self, *documents: str, tests: bool = False, parameters: dict[str, str] | None = None) -> None:
        """Let the pipeline build these documents in their order."""
        given = [{"name": name, "value": [value]} for name, value in (parameters or {}).items()]
        steps: list[dict[str, Any]] = [{"componentArn": self.builder.component(data)} for data in documents]
        for step, data in zip(steps, documents, strict=True):
            if taken := [one for one in given if f"- {one['name']}:" in data]:
                step["parameters"] = taken
        recipe = self.builder.client.create_image_recipe(
            name=f"{self.name}-{uuid.uuid4().hex[:6]}",
            semanticVersion="1.0.0",
            components=steps,
            parentImage=self.builder.cloud.image(),
        )["imageRecipeArn"]
        wanted = {
            "imageRecipeArn": recipe,
            "infrastructureConfigurationArn": self.builder.infrastructure(PROFILE, resourceTags={"purpose": self.name}),
            "imageTestsConfiguration": {"imageTestsEnabled": tests},
        }
        if self.pipeline:
            self.builder.client.update_image_pipeline(imagePipelineArn=self.pipeline, **wanted)
            return
        made = self.builder.client.create_image_pipeline(name=self.name, **wanted)
        self.pipeline = made["imagePipelineArn"]

    def build(self, **patience: Any) -> ImageReference:
        """Build as `invoke build-ami` does."""
        pipelines = Pipelines(boto3.Session(region_name=self.builder.cloud.environment["AWS_DEFAULT_REGION"]))
        with KeptLog(self.folder / f"{uuid.uuid4().hex}.log") as log:
            audience = builds.Audience(progress=self._hear, log=log)
            return builds.build(
                pipelines,
                self.pipeline,
                client_token=uuid.uuid4().hex,
                audience=audience,
                patience=builds.Patience(**patience),
            )

    def failure(self, **patience: Any) -> ImageBuildFailed:
        """The failure a build ends with, which is one line, names a log that is kept, and leaves nothing running."""
        with pytest.raises(ImageBuildFailed) as caught:
            self.build(**patience)
        error = caught.value
        assert "\n" not in error.message
        assert "\n" not in error.hint
        assert error.exit_code == 1
        assert error.log_file is not None
        assert set(error.log_tail) <= set(error.log_file.read_text(encoding="utf-8").splitlines())
        assert self.left() == []
        return error

    def left(self) -> list[str]:
        """What the pipeline's builds have left: instances that are not ended, images."""
        ec2 = self.builder.cloud.client("ec2")
        instances = ec2.describe_instances(
            Filters=[
                {"Name": "tag:purpose", "Values": [self.name]},
                {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
            ]
        )
        found = [one["InstanceId"] for group in instances["Reservations"] for one in group["Instances"]]
        images = ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [f"{self.name}*"]}])["Images"]
        return found + [image["ImageId"] for image in images if image["ImageId"] not in self.good]

    def assert_the_next_one_works(self) -> None:
        self.on_line = lambda _: None
        self.order(FINE)
        built = self.build()
        self.good.append(built.image_id)
        assert self.left() == []

    def arns(self) -> list[str]:
        """The ARNs of all builds of the pipeline."""
        answer = self.builder.client.list_image_pipeline_images(imagePipelineArn=self.pipeline)
        return [image["arn"] for image in answer["imageSummaryList"]]

    def _hear(self, progress: builds.Progress) -> None:
        for line in progress.lines:
            self.on_line(line)


@pytest.fixture
def workshop(cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path) -> Iterator[Workshop]:
    iam = cloud.client("iam")
    if PROFILE not in {found["InstanceProfileName"] for found in iam.list_instance_profiles()["InstanceProfiles"]}:
        iam.create_instance_profile(InstanceProfileName=PROFILE)
    yield Workshop(Builder(cloud, cloud.client("imagebuilder")), tmp_path)
    cloud.local.undo("all")


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_step_is_one_line_with_its_place_and_cause(workshop: Workshop, name: str) -> None:
    fault = FAULTS[name]
    workshop.order(*fault.documents, parameters=VALUES)
    error = workshop.failure()
    assert error.step.endswith(fault.step)
    assert error.message.startswith("the image build failed: ")
    assert error.step in error.message
    assert error.step_exit_code == fault.exit_code
    assert any(fault.says in line for line in error.log_tail)
    assert len(error.log_tail) <= 50
    assert fault.cause in error.hint
    workshop.assert_the_next_one_works()


def test_an_instance_that_is_lost_is_the_reason_given(workshop: Workshop) -> None:
    workshop.order(document(build="echo begun; sleep 600"))

    def lose(line: str) -> None:
        if line == "Stdout: begun":
            [instance_id] = workshop.left()
            workshop.builder.cloud.local.lose(instance_id)

    workshop.on_line = lose
    error = workshop.failure()
    assert "not running" in error.message
    assert "the instance was lost: build again" in error.hint
    workshop.assert_the_next_one_works()


def test_an_image_that_stays_pending_ends_with_the_builds_time(workshop: Workshop) -> None:
    workshop.order(FINE)
    workshop.builder.cloud.local.inject(StuckImage(), count=1)
    error = workshop.failure(timeout_s=2)
    assert error.message == "the image build took longer than 2 s and stood at BUILDING, CreateOutputAMI"
    workshop.assert_the_next_one_works()


def test_a_test_phase_that_never_ends_is_ended_by_its_own_time(workshop: Workshop) -> None:
    workshop.order(document(build="true", test="echo testing; sleep 600"), tests=True)
    error = workshop.failure(test_timeout_s=1)
    assert error.message.startswith("the image's test phase took longer than 1 s")
    assert "Stdout: testing" in error.log_tail
    workshop.assert_the_next_one_works()


def test_throttled_calls_and_lost_answers_build_one_image_all_the_same(workshop: Workshop) -> None:
    workshop.order(FINE)
    inject = workshop.builder.cloud.local.inject
    inject(LostAnswer("StartImagePipelineExecution"), count=1)
    for action in ("GetImage", "ListImagePipelineImages", "StartImagePipelineExecution", "ListWorkflow*"):
        inject(Throttle(action), count=2)
    workshop.good.append(workshop.build().image_id)
    assert len(workshop.arns()) == 1
    assert workshop.left() == []


def test_a_second_build_of_a_pipeline_is_refused_and_the_first_named(workshop: Workshop) -> None:
    workshop.order(document(build="echo begun; sleep 600"))
    refused: list[RampartError] = []

    def build_too(line: str) -> None:
        if line == "Stdout: begun":
            with pytest.raises(ImageBuildUnderWay) as caught:
                workshop.build()
            refused.append(caught.value)
            workshop.builder.client.cancel_image_creation(imageBuildVersionArn=workshop.arns()[0])

    workshop.on_line = build_too
    assert "was cancelled" in workshop.failure().message
    [first] = workshop.arns()
    assert first in refused[0].message
    assert refused[0].exit_code == 2
    workshop.assert_the_next_one_works()
