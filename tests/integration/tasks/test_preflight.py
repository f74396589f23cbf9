"""Preflight asks an account that answers over HTTP: the local cloud's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clients.aws.session import session_for
from clients.aws.survey import AwsSurvey
from contracts.errors import CloudError
from contracts.event import EventConfig
from contracts.findings import Finding, Level
from tasks import preflight
from tests.integration.clouds import KEY_NAME, UBUNTU, Cloud
from tests.unit.infra.events import event_with

END = (datetime.now(UTC) + timedelta(days=30)).isoformat(timespec="seconds")


@pytest.fixture
def survey(cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path) -> AwsSurvey:
    return AwsSurvey(session_for(event_with({}, tmp_path)), now=datetime.now(UTC))


@pytest.fixture
def network(cloud: Cloud) -> Iterator[dict[str, Any]]:
    """A VPC with one subnet, and no way out of it."""
    ec2 = cloud.client("ec2")
    vpc_id = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.77.0.0/24")["Subnet"]["SubnetId"]
    yield {"vpc": vpc_id, "subnet_ids": [subnet_id]}
    ec2.delete_subnet(SubnetId=subnet_id)
    ec2.delete_vpc(VpcId=vpc_id)


def errors(event: EventConfig) -> list[Finding]:
    return [one for one in preflight.look(event) if one.level is Level.ERROR]


def test_an_event_that_the_local_cloud_can_serve_has_no_error(
    cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path
) -> None:
    event = event_with(
        {
            "access": "gateway",
            "network": {"subnets": "private"},
            "instance_types": ["c6i.large"],
            "fleet": {"valid_until": END},
            "budget": {"monthly_usd": 50, "emails": ["organiser@example.org"]},
        },
        tmp_path,
    )
    assert errors(event) == []
    preflight.refuse_on_errors(event, local=True)


def test_what_the_local_cloud_lacks_is_a_warning_and_no_number_is_made_up(
    cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path
) -> None:
    found = preflight.look(event_with({}, tmp_path))
    warned = {one.about for one in found if one.level is Level.WARNING}
    assert warned >= {"vCPUs", "price"}
    assert not any("USD an hour" in one.message for one in found)


def test_a_network_without_a_way_out_refuses_deployment(
    cloud: Cloud, aws_environment: dict[str, str], network: dict[str, Any], tmp_path: Path
) -> None:
    event = event_with({"network": network}, tmp_path)
    messages = {one.about: one.message for one in errors(event)}
    subnet_id = network["subnet_ids"][0]
    assert messages["build subnet"] == f"{subnet_id} has no route to the internet"
    assert "hosts' subnets" in messages
    with pytest.raises(preflight.PreflightFailed):
        preflight.refuse_on_errors(event, local=True)


def test_the_default_network_has_a_way_out_as_on_aws(
    cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path
) -> None:
    event = event_with({"network": {"vpc": "default"}}, tmp_path)
    found = {one.about: one for one in preflight.look(event) if one.about in ("build subnet", "hosts' subnets")}
    assert {one.level for one in found.values()} == {Level.OK}
    assert " leads to the internet by igw-" in found["build subnet"].message


def test_another_vpc_of_the_same_range_is_seen(
    cloud: Cloud, aws_environment: dict[str, str], network: dict[str, Any], tmp_path: Path
) -> None:
    found = preflight.look(event_with({"network": {"cidr": "10.77.128.0/20"}}, tmp_path))
    (told,) = [one for one in found if one.about == "network"]
    assert told.level is Level.WARNING
    assert network["vpc"] in told.message


def test_a_key_pair_and_a_parent_image_are_found_or_not(
    cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path
) -> None:
    event = event_with({}, tmp_path)
    there = event.model_copy(update={"worker": event.worker.model_copy(update={"key_name": KEY_NAME})})
    assert errors(there) == []
    parent = {"image": event.infra.image.model_copy(update={"parent_image": "ami-0fff1234def567890"})}
    gone = event.model_copy(
        update={
            "worker": event.worker.model_copy(update={"key_name": "nobody's"}),
            "infra": event.infra.model_copy(update=parent),
        }
    )
    assert {one.about for one in errors(gone)} == {"key", "parent image"}


def test_the_local_cloud_answers_what_it_knows(cloud: Cloud, survey: AwsSurvey, network: dict[str, Any]) -> None:
    assert survey.caller().account == "123456789012"
    assert survey.region_status() in ("opted-in", "opt-in-not-required")
    assert "eu-west-3a" in survey.zones()
    assert survey.machine_types(["t3.medium", "t9.huge"])["t3.medium"].vcpus == 2
    assert "eu-west-3a" in survey.offers(["t3.medium"])["t3.medium"]
    assert survey.parameter("/nothing/there") is None
    image_id = survey.parameter(UBUNTU)
    image = survey.image(image_id or "")
    assert image is not None
    assert (image.architecture, image.state) == ("x86_64", "available")
    assert not survey.has_role("AWSServiceRoleForNothing")
    (subnet,) = survey.subnets(network["vpc"])
    assert subnet.subnet_id == network["subnet_ids"][0]
    (table,) = survey.route_tables(network["vpc"])
    assert (table.is_main, table.way_out) == (True, "")


def test_a_question_the_local_cloud_cannot_answer_is_an_error_of_ours(cloud: Cloud, survey: AwsSurvey) -> None:
    with pytest.raises(CloudError):
        survey.on_demand_prices(["t3.medium"])
    with pytest.raises(CloudError):
        survey.cost_tag_status("rampart:stack")
