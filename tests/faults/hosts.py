"""Look at the instances of one stack from the side, as no dispatcher does."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import RampartError
from contracts.infra import DEFAULT_REGION
from contracts.stack import StackOutputs
from tests.faults import jobs
from tests.integration.clouds import KEY_NAME, Cloud

_LIVE = ("pending", "running", "stopping", "stopped")


@dataclass
class StackHosts:
    """The instances launched for one stack on the shared local cloud."""

    cloud: Cloud
    outputs: StackOutputs
    image_id: str
    _told: set[str] = field(default_factory=set)

    @property
    def environment(self) -> dict[str, str]:
        """What leads to the cloud; what Rampart remembers of an event lies in the event's own folder."""
        return {name: value for name, value in self.cloud.environment.items() if name != "RAMPART_STATE_DIR"}

    def every(self) -> list[dict[str, Any]]:
        """All there ever were, as EC2 describes them."""
        stack = [{"Name": "tag:rampart:stack", "Values": [self.outputs.stack]}]
        pages = self.cloud.client("ec2").get_paginator("describe_instances").paginate(Filters=stack)
        return [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]

    def live(self) -> list[str]:
        """The ids of those that cost something."""
        return [one["InstanceId"] for one in self.every() if one["State"]["Name"] in _LIVE]

    def on_the_whole_cloud(self) -> int:
        """How many instances count against the quota of machines on demand, those of other tests included."""
        counts = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        pages = self.cloud.client("ec2").get_paginator("describe_instances").paginate(Filters=counts)
        found = [one for page in pages for reservation in page["Reservations"] for one in reservation["Instances"]]
        return sum("InstanceLifecycle" not in one for one in found)

    def let_go_on(self) -> None:
        """Let what waits on the hosts there are end."""
        for instance_id in self.live():
            if instance_id not in self._told:
                with suppress(RampartError):  # it has ended meanwhile
                    jobs.let_go_on(self.cloud.local.machine(instance_id))
                    self._told.add(instance_id)

    def lose(self, instance_id: str) -> None:
        """Let a host fail without notice, if it is still there."""
        with suppress(RampartError):
            self.cloud.local.lose(instance_id)

    def trainings(self) -> list[str]:
        """The trainings begun on the hosts there are."""
        return [name for one in self.live() for name in jobs.trainings(self.cloud.local.machine(one))]

    def end(self) -> None:
        """End what a failed test has left."""
        if left := self.live():
            self.cloud.terminate(*left)


@dataclass
class Ground:
    """What the stacks of all events share: network, launch template, one image for each kind of job."""

    cloud: Cloud
    outputs: StackOutputs
    _images: dict[str, str] = field(default_factory=dict)

    def stack(self, name: str, job: jobs.Job, *, zones: int = 1) -> StackHosts:
        """Give an event a stack of its own, in so many zones."""
        if job.name not in self._images:
            self._images[job.name] = jobs.make_image(job, self.cloud)
        own = {"stack": name, "event": name, "subnet_ids": self.outputs.subnet_ids[:zones]}
        outputs = self.outputs.model_copy(update=own)
        return StackHosts(self.cloud, outputs, self._images[job.name])


def prepared(cloud: Cloud) -> Ground:
    """Declare what `infra` would."""
    ec2 = cloud.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    vpc_id = subnets[0]["VpcId"]
    group = _default_group(ec2, vpc_id)
    outputs = StackOutputs(
        stack="", event="", region=DEFAULT_REGION, vpc_id=vpc_id, subnet_ids=tuple(one["SubnetId"] for one in subnets),
        security_group_id=group, key_name=KEY_NAME, launch_template_id=_template(ec2, group), image_pipeline_arn="",
        image_name="of-the-tests", build_subnet_id=subnets[0]["SubnetId"], access="public", server_group_id=group,
        builder_group_id=group, instance_types=("t3.medium",), image_parameter="", image_log_group="",
    )  # fmt: skip
    return Ground(cloud, outputs)


def _default_group(ec2: Any, vpc_id: str) -> str:
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
    group_id: str = ec2.describe_security_groups(Filters=filters)["SecurityGroups"][0]["GroupId"]
    return group_id


def _template(ec2: Any, group: str) -> str:
    data = {
        "InstanceType": "t3.medium",
        "KeyName": KEY_NAME,
        "SecurityGroupIds": [group],
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1},
    }
    made = ec2.create_launch_template(LaunchTemplateName="hosts-of-faults", LaunchTemplateData=data)
    template_id: str = made["LaunchTemplate"]["LaunchTemplateId"]
    return template_id
