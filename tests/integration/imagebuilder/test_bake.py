"""An event's image is baked over SSH on real machines: the same tree as by Image Builder, and nothing left over."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from clients.aws.image_making import ImageMaking
from clients.aws.pipelines import Pipelines
from clients.aws.session import session_for
from contracts.errors import ImageBuildFailed
from contracts.event import EventConfig
from contracts.image import BAKE_TAG, EVENT_TAG, PREFIX, RECIPE_TAG, ImageReference, ImageStatus
from contracts.stack import StackOutputs
from imagebuilder import catalogue
from imagebuilder.bake import cleaning
from imagebuilder.bake.documents import OverSsh
from imagebuilder.bake.ports import RunDocuments
from imagebuilder.building import build
from imagebuilder.catalogue import Component
from localcloud.machines import Level
from tasks import baking
from tasks import stack as stacks
from tests.integration.clouds import Cloud

EXAMPLE = Path(__file__).parents[3] / "examples" / "iris"
DIGEST = Path(__file__).parent / "tree_digest.py"


@dataclass(frozen=True)
class Site:
    """A deployed event, to be baked."""

    event: EventConfig
    outputs: StackOutputs
    cloud: Cloud

    def images(self) -> list[str]:
        return [image.image_id for image in ImageMaking(session_for(self.event)).tagged({EVENT_TAG: self.event.name})]

    def instances(self) -> list[str]:
        filters = [
            {"Name": "tag:rampart:event", "Values": [self.event.name]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
        answer = self.cloud.client("ec2").describe_instances(Filters=filters)
        return [one["InstanceId"] for reservation in answer["Reservations"] for one in reservation["Instances"]]

    def tree(self, image_id: str) -> list[str]:
        """What a fresh host of an image has, a line each."""
        instance = self.cloud.launch(ImageId=image_id)
        try:
            command = f"sudo -n {sys.prefix}/bin/python - {PREFIX} ~/.rampart"
            done = self.cloud.ssh(instance["PublicIpAddress"], command, stdin=DIGEST.read_bytes())
            assert done.returncode == 0, done.stderr
            return done.stdout.decode().splitlines()
        finally:
            self.cloud.terminate(instance["InstanceId"])


@pytest.fixture(scope="module")
def site(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests here: a stack takes some seconds to come and to go."""
    if cloud.local.level == Level.PLAIN:
        pytest.skip("machines at the level plain have no disk of their own")
    tmp_path = tmp_path_factory.mktemp("site")
    name = f"iris-{uuid.uuid4().hex[:6]}"
    kit = tmp_path / "kit"
    shutil.copytree(EXAMPLE, kit, ignore=shutil.ignore_patterns("__pycache__", "training_output"))
    event = EventConfig.model_validate(
        {
            "path": tmp_path / "config.yml",
            "deployment": tmp_path,
            "state_root": tmp_path / ".rampart",
            "database_url": "sqlite://",
            "ramp": {
                "problem_name": "iris",
                "event_name": name,
                "kit_dir": kit,
                **{key: tmp_path / key for key in ("data_dir", "submissions_dir", "predictions_dir", "logs_dir")},
            },
            "worker": {
                "worker_type": "aws",
                "region_name": cloud.environment["AWS_DEFAULT_REGION"],
                "ami_image_name": f"{name}-backend",
            },
            "infra": {
                "allowed_cidrs": ["127.0.0.0/8"],
                "image": {"kit": {"folder": kit}, "environment": "existing", "prefix": sys.prefix},
            },
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in cloud.environment.items():
            patch.setenv(variable, value)
        outputs = stacks.up(event, local=True, skip_preflight=True)
        yield Site(event, outputs, cloud)
        stacks.destroy(event, local=True)


@pytest.fixture
def bake_component(site: Site) -> Callable[..., ImageReference]:
    """Bake an image of one component, whose build phase is a script."""
    from imagebuilder import bake as baker
    from tasks import rented

    def bake(script: str, **changes: Any) -> ImageReference:
        step = {"name": "Do", "action": "ExecuteBash", "inputs": {"commands": [script]}}
        data = f'{{"schemaVersion": 1.0, "phases": [{{"name": "build", "steps": [{step!r}]}}]}}'
        component = Component("own", "1.0.1", data, {}, "")
        order = replace(baking.order_of(site.event, site.outputs), components=(component,), **changes)
        machines = rented.for_builds(site.event)
        run_documents: RunDocuments = OverSsh(machines)
        images = ImageMaking(session_for(site.event))
        return baker.bake(order, machines, images, run_documents, is_up=lambda _: False)

    return bake


def test_both_ways_make_a_tested_image_with_the_same_tree(site: Site) -> None:
    pipelines = Pipelines(session_for(site.event))
    arn = site.outputs.image_pipeline_arn
    with ThreadPoolExecutor(1) as beside:
        building = beside.submit(build.build, pipelines, arn, client_token=uuid.uuid4().hex)
        baked = baking.bake(site.event, site.outputs)
        built = building.result()
    assert (baked.status, built.status) == (ImageStatus.TESTED, ImageStatus.TESTED)
    assert site.instances() == []

    tree = site.tree(baked.image_id)
    assert tree == site.tree(built.image_id)
    names = {line.split()[1] for line in tree[:-1]}
    assert names >= {"kits/iris/problem.py", "provenance.json", "layout.json"}

    image = ImageMaking(session_for(site.event)).by_id(baked.image_id)
    assert image is not None
    tags = {EVENT_TAG: site.event.name, "rampart:status": "tested"}
    tags[RECIPE_TAG] = catalogue.recipe_version(site.event)
    assert image.tags.items() >= tags.items()
    assert BAKE_TAG in image.tags


@pytest.mark.parametrize(
    ("script", "changes", "message"),
    [
        ("echo never mind; exit 3", {}, "in own, phase build, step Do: exit code 3"),
        ("sleep 300", {"build_timeout_s": 1.0}, "the image build took longer than 1 s"),
        ("sudo shutdown -h now; sleep 300", {}, r"the instance i-\w+ was lost"),
    ],
    ids=["fails", "hangs", "is-lost"],
)
def test_a_build_that_fails_is_told_in_one_line_and_leaves_nothing(
    site: Site, bake_component: Callable[..., ImageReference], script: str, changes: dict[str, Any], message: str
) -> None:
    before = site.images()
    with pytest.raises(ImageBuildFailed, match=message) as caught:
        bake_component(script, **changes)
    assert "\n" not in caught.value.message
    assert (site.instances(), site.images()) == ([], before)


def test_no_image_is_made_where_cleaning_was_left_out(
    site: Site, bake_component: Callable[..., ImageReference], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = site.images()
    monkeypatch.setattr(cleaning, "clean", lambda _: None)
    with pytest.raises(ImageBuildFailed, match="the machine still has /etc/ssh/ssh_host_ed25519_key"):
        bake_component("touch /tmp/left")
    assert (site.instances(), site.images()) == ([], before)
