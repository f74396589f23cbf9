"""Every fault that can be injected is seen by ordinary clients, and ends."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from contracts.errors import AskedWrongly, UnknownName
from localcloud.injections import (
    Freeze,
    HollowTermination,
    LostAnswer,
    Market,
    NoCapacity,
    Partition,
    Quota,
    Slow,
    Throttle,
    Unseen,
)
from tests.integration.clouds import KEY_NAME, Cloud

SPOT = {"MarketType": "spot"}


@pytest.fixture(scope="module")
def ec2(cloud: Cloud) -> Any:
    """A client that asks once: what it is told is seen, not what a second try brings."""
    session = boto3.Session(
        aws_access_key_id=cloud.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud.environment["AWS_SECRET_ACCESS_KEY"],
        region_name=cloud.environment["AWS_DEFAULT_REGION"],
    )
    once = Config(retries={"total_max_attempts": 1})
    client: Any = session.client("ec2", endpoint_url=cloud.environment["AWS_ENDPOINT_URL"], config=once)
    return client


@pytest.fixture(autouse=True)
def no_fault_is_left(cloud: Cloud) -> Iterator[None]:
    yield
    cloud.local.undo("all")


@pytest.fixture(scope="module")
def parameters(cloud: Cloud) -> dict[str, Any]:
    return {"ImageId": cloud.image(), "InstanceType": "t3.small", "KeyName": KEY_NAME, "MinCount": 1, "MaxCount": 1}


def refused(call: Callable[..., Any], **asked: Any) -> tuple[str, int]:
    answer = answer_to(call, **asked)
    assert answer is not None, "not refused"
    return answer


def answer_to(call: Callable[..., Any], **asked: Any) -> tuple[str, int] | None:
    """Code and status of a refusal; None where the call was answered."""
    try:
        call(**asked)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    return None


def ids(answer: dict[str, Any]) -> list[str]:
    return [instance["InstanceId"] for instance in answer["Instances"]]


def state(cloud: Cloud, instance_id: str) -> str:
    name: str = cloud.describe(instance_id)["State"]["Name"]
    return name


def test_a_pool_without_capacity_refuses_and_others_do_not(cloud: Cloud, ec2: Any, parameters: dict[str, Any]) -> None:
    cloud.local.inject(NoCapacity(instance_type="t3.small", market=Market.SPOT), count=1)
    asked = {**parameters, "InstanceMarketOptions": SPOT}
    launched = ids(ec2.run_instances(**parameters))  # another market
    assert refused(ec2.run_instances, **asked) == ("InsufficientInstanceCapacity", 500)
    launched += ids(ec2.run_instances(**asked))
    cloud.terminate(*launched)


def test_a_fleet_goes_from_a_pool_without_capacity_to_the_next(cloud: Cloud, ec2: Any) -> None:
    subnets = sorted(found["SubnetId"] for found in ec2.describe_subnets()["Subnets"])[:2]
    data = {"ImageId": cloud.image(), "InstanceType": "t3.small", "KeyName": KEY_NAME}
    template = ec2.create_launch_template(LaunchTemplateName="pools", LaunchTemplateData=data)["LaunchTemplate"]
    overrides = [{"InstanceType": "t3.small", "SubnetId": subnet} for subnet in subnets]
    asked: dict[str, Any] = {
        "Type": "instant",
        "TargetCapacitySpecification": {"TotalTargetCapacity": 2, "DefaultTargetCapacityType": "spot"},
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"},
                "Overrides": overrides,
            }
        ],
    }
    cloud.local.inject(NoCapacity(subnet_id=subnets[0]))
    made = ec2.create_fleet(**asked)
    [error], [group] = made["Errors"], made["Instances"]
    assert (error["ErrorCode"], error["Lifecycle"]) == ("InsufficientInstanceCapacity", "spot")
    assert error["LaunchTemplateAndOverrides"]["Overrides"] == overrides[0]
    assert (group["LaunchTemplateAndOverrides"]["Overrides"], len(group["InstanceIds"])) == (overrides[1], 2)
    cloud.local.inject(NoCapacity(market=Market.SPOT))
    nowhere = ec2.create_fleet(**asked)
    assert (nowhere["Instances"], len(nowhere["Errors"])) == ([], 2)
    cloud.terminate(*group["InstanceIds"])
    ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])


def test_a_quota_lets_launch_up_to_its_number(cloud: Cloud, ec2: Any, parameters: dict[str, Any]) -> None:
    cloud.local.inject(Quota(Market.SPOT, above=2))
    asked = {**parameters, "InstanceMarketOptions": SPOT}
    launched = ids(ec2.run_instances(**{**asked, "MaxCount": 3}))
    assert len(launched) == 2
    assert refused(ec2.run_instances, **asked) == ("MaxSpotInstanceCountExceeded", 400)
    cloud.local.inject(Quota(Market.ON_DEMAND, above=0))
    assert refused(ec2.run_instances, **parameters) == ("VcpuLimitExceeded", 400)
    cloud.terminate(*launched)
    cloud.terminate(*ids(ec2.run_instances(**asked)))


def test_a_fraction_of_calls_is_throttled_the_same_ones_each_time(cloud: Cloud, ec2: Any) -> None:
    def outcome() -> list[tuple[str, int] | None]:
        injection = cloud.local.inject(Throttle("DescribeInst*", fraction=0.5, seed=4))
        answers = [answer_to(ec2.describe_instances) for _ in range(8)]
        ec2.describe_key_pairs()  # another action is let through
        cloud.local.undo(injection)
        return answers

    first = outcome()
    assert set(first) == {None, ("RequestLimitExceeded", 503)}
    assert outcome() == first
    ec2.describe_instances()


def test_a_launch_whose_answer_is_lost_has_happened_once(cloud: Cloud, ec2: Any, parameters: dict[str, Any]) -> None:
    asked = {**parameters, "ClientToken": "lost-answer"}
    before = running(ec2)
    cloud.local.inject(LostAnswer("RunInstances"), count=1)
    with pytest.raises(ConnectionClosedError):
        ec2.run_instances(**asked)
    [launched] = running(ec2) - before
    assert ids(ec2.run_instances(**asked)) == [launched]
    cloud.terminate(launched)


def running(ec2: Any) -> set[str]:
    found = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])
    return {instance["InstanceId"] for group in found["Reservations"] for instance in group["Instances"]}


def test_calls_are_counted_and_can_be_slow(cloud: Cloud, ec2: Any) -> None:
    cloud.local.inject(Slow(0.01, action="DescribeRegions"), count=1)
    before = cloud.local.calls()
    ec2.describe_regions()
    ec2.describe_key_pairs()
    assert cloud.local.calls() - before == Counter(DescribeRegions=1, DescribeKeyPairs=1)
    assert cloud.local.injections() == []


def test_a_young_instance_is_not_known_yet(cloud: Cloud, ec2: Any, parameters: dict[str, Any]) -> None:
    injection = cloud.local.inject(Unseen(younger_than_s=3600))
    [instance_id] = ids(ec2.run_instances(**parameters))
    assert instance_id not in running(ec2)
    for call in (ec2.describe_instances, ec2.describe_instance_status, ec2.terminate_instances):
        assert refused(call, InstanceIds=[instance_id]) == ("InvalidInstanceID.NotFound", 400)
    cloud.local.undo(injection)
    assert instance_id in running(ec2)
    cloud.terminate(instance_id)


def test_one_unknown_id_refuses_a_batch_whole(cloud: Cloud, ec2: Any, parameters: dict[str, Any]) -> None:
    known, forgotten = ids(ec2.run_instances(**{**parameters, "MinCount": 2, "MaxCount": 2}))
    injection = cloud.local.inject(Unseen(forgotten))
    batch = [known, forgotten]
    assert refused(ec2.terminate_instances, InstanceIds=batch) == ("InvalidInstanceID.NotFound", 400)
    assert state(cloud, known) == "running"
    cloud.local.undo(injection)
    ec2.terminate_instances(InstanceIds=batch)
    assert {state(cloud, each) for each in batch} == {"terminated"}


def test_a_termination_can_be_answered_and_not_done(cloud: Cloud, ec2: Any, parameters: dict[str, Any]) -> None:
    first, second = ids(ec2.run_instances(**{**parameters, "MinCount": 2, "MaxCount": 2}))
    cloud.local.inject(HollowTermination(first), count=1)
    answer = ec2.terminate_instances(InstanceIds=[first, second])["TerminatingInstances"]
    assert {ending["CurrentState"]["Name"] for ending in answer} == {"shutting-down"}
    assert (state(cloud, first), state(cloud, second)) == ("running", "terminated")
    cloud.local.inject(HollowTermination(), count=1)
    ec2.terminate_instances(InstanceIds=[first])
    assert state(cloud, first) == "running"
    ec2.terminate_instances(InstanceIds=[first])
    assert state(cloud, first) == "terminated"


COUNTING = "i=0; while :; do i=$((i+1)); echo >>~/count; echo $i; sleep 0.01; done"


@pytest.fixture
def counting(cloud: Cloud) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """An instance with a session that says a number every now and then."""
    instance = cloud.launch()
    command = cloud.ssh_command(instance["PublicIpAddress"], COUNTING)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as session:
        assert line_of(session) == "1"
        yield instance["InstanceId"], session
        session.kill()
    cloud.terminate(instance["InstanceId"])


def line_of(session: subprocess.Popen[str]) -> str:
    assert session.stdout is not None
    return session.stdout.readline().strip()


def greets(cloud: Cloud, instance_id: str) -> bool:
    """Whether the host answers within a second; where it should not, a slow machine changes nothing."""
    options = ("-o", "ConnectTimeout=1")
    command = cloud.ssh_command(cloud.describe(instance_id)["PublicIpAddress"], "true", options=options)
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0


def answers(cloud: Cloud, instance_id: str) -> bool:
    return cloud.ssh(cloud.describe(instance_id)["PublicIpAddress"], "true").returncode == 0


def count_on(cloud: Cloud, instance_id: str) -> int:
    """How far the session's command has come, read without SSH."""
    machine = cloud.local.machine(instance_id)
    spawn = machine.spawn(["sh", "-c", "wc -l <~/count"], user=machine.login_user)
    done = subprocess.run(spawn.argv, env=spawn.env, cwd=spawn.cwd, capture_output=True, text=True, check=True)
    return int(done.stdout)


def goes_on(cloud: Cloud, instance_id: str, since: int) -> bool:
    """Wait until the host has counted on."""
    deadline = time.monotonic() + 30
    while count_on(cloud, instance_id) == since:
        if time.monotonic() > deadline:
            return False
    return True


def test_a_partitioned_host_does_not_answer_and_works_on(
    cloud: Cloud, counting: tuple[str, subprocess.Popen[str]]
) -> None:
    instance_id, session = counting
    injection = cloud.local.inject(Partition(instance_id))
    assert not greets(cloud, instance_id)
    assert state(cloud, instance_id) == "running"
    assert goes_on(cloud, instance_id, since=count_on(cloud, instance_id))
    cloud.local.undo(injection)
    assert answers(cloud, instance_id)
    read = [int(line_of(session)) for _ in range(20)]
    assert read == list(range(read[0], read[0] + 20))  # nothing of what it said meanwhile is lost


def test_a_frozen_host_stands_still_until_it_is_thawed(
    cloud: Cloud, counting: tuple[str, subprocess.Popen[str]]
) -> None:
    instance_id, session = counting
    injection = cloud.local.inject(Freeze(instance_id))
    stands = count_on(cloud, instance_id)
    assert not greets(cloud, instance_id)
    assert count_on(cloud, instance_id) == stands
    assert state(cloud, instance_id) == "running"
    cloud.local.undo(injection)
    assert goes_on(cloud, instance_id, since=stands)
    assert line_of(session)


def test_a_frozen_host_thaws_by_itself_and_can_be_terminated(
    cloud: Cloud, counting: tuple[str, subprocess.Popen[str]]
) -> None:
    instance_id, session = counting
    cloud.local.inject(Freeze(instance_id), seconds=0.05)
    assert goes_on(cloud, instance_id, since=count_on(cloud, instance_id))
    cloud.local.inject(Freeze(instance_id))
    cloud.terminate(instance_id)
    assert session.wait(timeout=30) == 255
    with pytest.raises(UnknownName):
        cloud.local.inject(Freeze(instance_id))


def test_what_cannot_happen_a_number_of_times_is_refused(cloud: Cloud) -> None:
    with pytest.raises(AskedWrongly, match="cannot happen"):
        cloud.local.inject(Partition("i-1"), count=2)
    with pytest.raises(UnknownName):
        cloud.local.undo("fault-0")
