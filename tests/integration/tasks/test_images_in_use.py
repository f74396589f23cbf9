"""Runs use the image of the moment they start in, and an image stays as long as anybody needs it."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest

from clients.aws.image_use import ImageUse
from clients.aws.images import Images
from clients.aws.session import session_for
from contracts.errors import AskedWrongly, UnknownName
from contracts.stack import StackOutputs
from runner import app
from runner.hosts import Tempo
from runner.interruption import Interruption
from tasks import image_choice, image_following, image_pruning, image_table, submissions
from tests.faults import jobs, rehearsal
from tests.faults.hosts import StackHosts
from tests.faults.jobs import STAND_IN
from tests.faults.rehearsal import Rehearsal
from tests.integration.clouds import KEY_NAME, Cloud

pytestmark = pytest.mark.usefixtures("aws_environment")
_NUMBERS = count(1)
_DATES = count(1)
Printed = pytest.CaptureFixture[str]


@dataclass
class House:
    """An event with its images and its dispatcher."""

    cloud: Cloud
    bench: Rehearsal
    outputs: StackOutputs
    machine: str  # that images are made of
    images: list[str] = field(default_factory=list)

    def image(self, status: str = "verified", **tags: str) -> str:
        """Make an image of the event that is newer than all others; gives its id."""
        name = self.bench.event.name
        ec2 = self.cloud.client("ec2")
        dated = f"stand_in-backend 2026-11-20T10-00-{next(_DATES):02d}Z"
        made: str = ec2.create_image(InstanceId=self.machine, Name=dated)["ImageId"]
        wanted = {"event": name, "status": status, **tags}
        ec2.create_tags(Resources=[made], Tags=[{"Key": f"rampart:{key}", "Value": wanted[key]} for key in wanted])
        self.images.append(made)
        return made

    def there(self) -> list[str]:
        """Which of the images are still there."""
        return [one for one in self.images if Images(session_for(self.bench.event)).by_id(one) is not None]

    def has_keep_tag(self, image_id: str) -> bool:
        """Whether Image Builder's lifecycle policy passes it by."""
        found = Images(session_for(self.bench.event)).by_id(image_id)
        return found is not None and "rampart:keep" in found.tags

    def serve(self) -> threading.Thread:
        """Serve the queue until it is empty, asking for the image before each launch."""
        event, interruption = self.bench.event, Interruption()
        store = app.open_store(event)
        hosts = app.make_hosts(
            event,
            outputs=self.outputs,
            image=image_following.followed(event),
            interruption=interruption,
            launches=store,
            tempo=Tempo(image=0.0),
        )
        dispatcher = app.make_dispatcher(
            event, store=store, hosts=hosts, interruption=interruption, observe=lambda _: None
        )
        thread = threading.Thread(target=dispatcher.serve, daemon=True)
        thread.start()
        return thread

    def image_of(self, submission: str) -> str:
        """The image of a submission's last run."""
        rows = self.bench.catalogue.submissions(self.bench.event.name)
        return next(row.image_id for row in rows if row.submission == submission)

    def until_scored(self, submission: str) -> str:
        """Wait until a submission is scored; gives the image it ran on."""
        self.bench.until(f"{submission} is scored", lambda: self.bench.states()[submission] == "scored")
        return self.image_of(submission)

    def prune(self, keep: int = 1, *, really: bool = True) -> None:
        image_pruning.prune(self.bench.event, keep=keep, really=really, as_json=True)


@pytest.fixture(scope="module")
def machine(cloud: Cloud) -> Iterator[str]:
    """What images are made of."""
    if cloud.local.level == "plain":
        pytest.skip("a plain machine's home has no path of its own that an image could name")
    instance_id = jobs.make_machine(STAND_IN, cloud)
    yield instance_id
    cloud.terminate(instance_id)


@pytest.fixture
def house(cloud: Cloud, machine: str, tmp_path: Path) -> Iterator[House]:
    name = f"images_{next(_NUMBERS)}"
    event = rehearsal.open_event(tmp_path, name, f"worker_type: aws, key_path: {cloud.key_path}", STAND_IN)
    outputs = _outputs(cloud, name)
    bench = Rehearsal(tmp_path, event, StackHosts(cloud, outputs, ""), STAND_IN)
    house = House(cloud, bench, outputs, machine)
    yield house
    bench.end()
    StackHosts(cloud, outputs, "").end()
    for one in house.there():
        cloud.client("ec2").deregister_image(ImageId=one)


def _outputs(cloud: Cloud, name: str) -> StackOutputs:
    subnet = cloud.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][
        0
    ]
    groups = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    group = cloud.client("ec2").describe_security_groups(Filters=groups)["SecurityGroups"][0]["GroupId"]
    return StackOutputs(
        stack=name, event=name, region="eu-west-3", vpc_id=subnet["VpcId"], subnet_ids=(subnet["SubnetId"],),
        security_group_id=group, key_name=KEY_NAME, launch_template_id="", image_pipeline_arn="", image_name="",
        build_subnet_id=subnet["SubnetId"], access="public", server_group_id=group, builder_group_id=group,
        instance_types=("t3.medium",), image_parameter="", image_log_group="",
    )  # fmt: skip


def printed(capsys: Printed) -> Any:
    return json.loads(capsys.readouterr().out)


def test_new_runs_get_the_new_image_or_the_old_one_again_and_none_that_is_needed_is_removed(
    house: House, capsys: Printed
) -> None:
    useless, first = house.image(), house.image()
    house.bench.submit("slow", code=STAND_IN.waits)
    serving = house.serve()
    house.bench.until_training()

    second = house.image()
    house.bench.submit("after_rebuild")
    assert house.until_scored("after_rebuild") == second
    assert house.image_of("slow") == first

    image_choice.choose(house.bench.event, first, as_json=False)
    house.bench.submit("after_roll_back")
    assert house.until_scored("after_roll_back") == first
    said = capsys.readouterr().err
    assert f"image {second} (stand_in-backend" in said
    assert said.count(f"image {first} ") == 2  # at the start, and when it came back
    assert "where the event is pinned, from now on" in said
    assert house.has_keep_tag(first)

    house.prune(really=False)
    outcomes = {one["image_id"]: one["outcome"] for one in printed(capsys)}
    assert outcomes == {useless: "would be removed", first: "kept", second: "kept"}
    assert house.there() == [useless, first, second]
    house.prune()
    told = {one["image_id"]: one for one in printed(capsys)}
    assert house.there() == [first, second]
    event = house.bench.event.name
    assert f"pinned: {event}; 1 run under way; 1 instance up: i-" in told[first]["reason"]

    image_choice.choose(house.bench.event, "newest", as_json=False)
    assert not house.has_keep_tag(first)
    house.prune()
    assert house.there() == [first, second]  # a run goes on with it
    house.bench.let_go_on()
    serving.join(60)
    assert not serving.is_alive()
    assert house.until_scored("slow") == first
    capsys.readouterr()
    house.prune()
    assert house.there() == [second]
    capsys.readouterr()

    image_table.show(house.bench.event, as_json=True)
    rows = {row["image_id"]: row for row in printed(capsys)["images"]}
    assert {one: (row["state"], row["scores"]) for one, row in rows.items()} == {
        first: ("gone", 2),
        second: ("available", 1),
    }
    image_table.show(house.bench.event, as_json=False)
    table = capsys.readouterr().out.splitlines()
    assert table[1].split()[-5:] == ["kit", "data", "parent", "recipe", "note"]
    assert "new runs get it: newest verified; 1 score from it" in table[2]
    assert "gone (verified)" in table[3]
    submissions.print_leaderboard(house.bench.event, as_json=False)
    board = capsys.readouterr().out
    assert "scores come from several machine images" in board
    assert all(one in board for one in (first, second))


def test_only_an_image_that_may_be_used_is_chosen_and_who_else_may_have_it_is_shown(
    house: House, capsys: Printed
) -> None:
    rejected, tested = house.image("rejected"), house.image("tested", keep="for the paper")
    event, own = house.bench.event, Images(session_for(house.bench.event))
    with pytest.raises(UnknownName, match="not among the account's own"):
        image_choice.choose(event, "ami-0123456789abcdef0", as_json=False)
    with pytest.raises(AskedWrongly, match="found unfit"):
        image_choice.choose(event, rejected, as_json=False)
    image_choice.choose(event, tested, as_json=False)
    assert f"invoke verify-ami --event {event.name} --image {tested}" in capsys.readouterr().err
    assert app.open_image_records(event).pinned(event.name) == tested
    demanding = event.infra.image.model_copy(update={"require_verified": True})
    strict = event.model_copy(update={"infra": event.infra.model_copy(update={"image": demanding})})
    with pytest.raises(AskedWrongly, match="require_verified"):
        image_choice.choose(strict, tested, as_json=False)
    image_choice.choose(event, "newest", as_json=False)
    assert own.by_id(tested).tags["rampart:keep"] == "for the paper"  # type: ignore[union-attr]

    ec2 = house.cloud.client("ec2")
    ec2.modify_image_attribute(ImageId=tested, LaunchPermission={"Add": [{"UserId": "111122223333"}]})
    (snapshot,) = own.by_id(tested).snapshot_ids  # type: ignore[union-attr]
    ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
    )
    with pytest.raises(AskedWrongly, match=f"anybody may read its snapshot {snapshot}"):
        image_choice.choose(event, tested, as_json=False)
    capsys.readouterr()
    image_table.show(event, as_json=True)
    (row,) = [one for one in printed(capsys)["images"] if one["image_id"] == tested]
    assert f"PUBLIC: anybody may read its snapshot {snapshot}" in row["warnings"]
    assert "shared with 111122223333, which infra.image.share_with does not name" in row["warnings"]


def test_what_templates_and_standing_fleets_launch_is_needed(cloud: Cloud) -> None:
    ec2, use = cloud.client("ec2"), ImageUse(boto3.Session(region_name=cloud.environment["AWS_DEFAULT_REGION"]))
    in_template, in_fleet = "ami-0123456789abcdef0", cloud.image()
    made = ec2.create_launch_template(
        LaunchTemplateName=f"needs-{uuid.uuid4().hex[:6]}",
        LaunchTemplateData={"ImageId": in_fleet, "InstanceType": "t3.medium", "KeyName": KEY_NAME},
    )["LaunchTemplate"]["LaunchTemplateId"]
    specification = {"LaunchTemplateId": made, "Version": "1"}
    fleet = ec2.create_fleet(
        Type="maintain",
        LaunchTemplateConfigs=[{"LaunchTemplateSpecification": specification}],
        TargetCapacitySpecification={
            "TotalTargetCapacity": 0, "OnDemandTargetCapacity": 0, "SpotTargetCapacity": 0,
            "DefaultTargetCapacityType": "on-demand",
        },
    )["FleetId"]  # fmt: skip
    ec2.create_launch_template_version(
        LaunchTemplateId=made, SourceVersion="1", LaunchTemplateData={"ImageId": in_template}
    )
    ec2.modify_launch_template(LaunchTemplateId=made, DefaultVersion="2")
    assert made in use.templates()[in_template]
    assert made not in use.templates().get(in_fleet, ())
    assert fleet in use.fleets()[in_fleet]
    ec2.delete_fleets(FleetIds=[fleet], TerminateInstances=True)
    assert fleet not in use.fleets().get(in_fleet, ())
    ec2.delete_launch_template(LaunchTemplateId=made)
