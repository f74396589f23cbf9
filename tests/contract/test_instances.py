"""What the host pool asks of EC2 holds for EC2's emulator as it does for the double in memory."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from clients.aws.ec2 import Ec2
from clients.memory_instances import MemoryInstances
from contracts.errors import CloudError
from contracts.instance import LAUNCH_TAG, LaunchRequest, Pool
from runner.ports import Instances
from tests.integration.clouds import KEY_NAME, Cloud

_NUMBERS = itertools.count(1)
_STACK = "instances-of-contract-tests"


@dataclass
class Account:
    """One way to launch, with a spot notice for who is launched so."""

    instances: Instances
    request: LaunchRequest
    give_notice: Callable[[str], None]
    versions: Callable[[], int] = lambda: 1

    def asked(self, **changed: Any) -> LaunchRequest:
        """A request of its own token."""
        number = next(_NUMBERS)
        tags = self.request.tags | {LAUNCH_TAG: f"launch-{number}"}
        return dataclasses.replace(self.request, client_token=f"contract-{number}", tags=tags, **changed)

    def live(self, request: LaunchRequest) -> list[str]:
        found = self.instances.instances({LAUNCH_TAG: request.tags[LAUNCH_TAG]})
        return sorted(one.instance_id for one in found if not one.has_ended)


def _request(image_id: str, **changed: Any) -> LaunchRequest:
    tags = {"rampart:stack": _STACK, "rampart:event": "iris"}
    return LaunchRequest(image_id, "", tags, (Pool("t3.medium"),), user_data="#cloud-config\n", **changed)


def _in_memory() -> Account:
    instances = MemoryInstances(lambda: datetime.now(UTC))

    def notice(instance_id: str) -> None:
        instances.notices[instance_id] = "marked-for-termination"

    return Account(instances, _request("ami-1"), notice)


@pytest.fixture(scope="module")
def ec2(cloud: Cloud) -> Ec2:
    keys = cloud.environment
    session = boto3.Session(
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        region_name=keys["AWS_DEFAULT_REGION"],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", keys["AWS_ENDPOINT_URL"])
        return Ec2(session)


@pytest.fixture(scope="module")
def template(cloud: Cloud) -> str:
    data = {"InstanceType": "t3.small", "KeyName": KEY_NAME, "InstanceInitiatedShutdownBehavior": "terminate"}
    made = cloud.client("ec2").create_launch_template(LaunchTemplateName=_STACK, LaunchTemplateData=data)
    template_id: str = made["LaunchTemplate"]["LaunchTemplateId"]
    return template_id


def _emulated(cloud: Cloud, ec2: Ec2, **changed: Any) -> Account:
    request = _request(cloud.image(), key_name=KEY_NAME, **changed)

    def versions() -> int:
        if not request.launch_template_id:
            return 1
        asked = {"LaunchTemplateId": request.launch_template_id}
        return len(cloud.client("ec2").describe_launch_template_versions(**asked)["LaunchTemplateVersions"])

    return Account(ec2, request, cloud.local.spot_notice, versions)


@pytest.fixture(params=["memory", "run-instances", "fleet"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    if request.param == "memory":
        yield _in_memory()
        return
    cloud, ec2 = request.getfixturevalue("cloud"), request.getfixturevalue("ec2")
    template = request.getfixturevalue("template") if request.param == "fleet" else ""
    made = _emulated(cloud, ec2, launch_template_id=template)
    yield made
    found = [one.instance_id for one in ec2.instances({"rampart:stack": _STACK}) if not one.has_ended]
    if found:
        ec2.terminate(found)


def test_one_call_launches_several_which_carry_its_tags_and_its_type(account: Account) -> None:
    request = account.asked(count=3)
    answer = account.instances.launch(request)
    assert len(answer.instance_ids) == 3
    assert answer.refusals == ()
    found = account.instances.instances({LAUNCH_TAG: request.tags[LAUNCH_TAG]})
    assert sorted(one.instance_id for one in found) == sorted(answer.instance_ids)
    for one in found:
        assert request.tags.items() <= one.tags.items()
        assert (one.instance_type, one.image_id, one.has_ended) == ("t3.medium", request.image_id, False)
        assert one.address


def test_the_same_token_launches_once_whoever_asks_and_leaves_no_template_behind(account: Account) -> None:
    request = account.asked(count=2)
    first = account.instances.launch(request)
    again = account.instances.launch(request, again=True)
    assert sorted(again.instance_ids) == sorted(first.instance_ids) == account.live(request)
    assert account.versions() == 1


def test_ending_passes_over_what_is_not_known_and_may_be_done_twice(account: Account) -> None:
    request = account.asked(count=2)
    ids = account.instances.launch(request).instance_ids
    for _ in range(2):
        account.instances.terminate([ids[0], "i-0123456789abcdef0", ids[1]])
    assert account.live(request) == []
    assert account.instances.instance("i-0123456789abcdef0") is None
    ended = account.instances.instance(ids[0])
    assert ended is not None
    assert ended.is_released


def test_a_spot_instance_that_is_marked_is_told_of_and_no_other(account: Account) -> None:
    ids = account.instances.launch(account.asked(count=2, spot=True)).instance_ids
    assert account.instances.reclaimed(ids) == {}
    account.give_notice(ids[0])
    assert account.instances.reclaimed(ids) == {ids[0]: "marked-for-termination"}
    assert account.instances.reclaimed([ids[1]]) == {}


def test_a_token_that_comes_back_with_other_parameters_is_refused(account: Account) -> None:
    request = account.asked()
    account.instances.launch(request)
    with pytest.raises(CloudError) as caught:
        account.instances.launch(dataclasses.replace(request, count=2))
    assert caught.value.code == "IdempotentParameterMismatch"
    assert len(account.live(request)) == 1
    assert account.versions() == 1
