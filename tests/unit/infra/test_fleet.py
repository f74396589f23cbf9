"""Fleets that stand: what they launch, how large they are, when they end."""

from __future__ import annotations

import base64
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import yaml

from contracts.errors import AskedWrongly
from contracts.infra import DaskCluster, Fleet, Requirements
from infra import fleet_settings
from infra.fleet import StandingHosts, StandingHostsArgs
from infra.fleet_settings import FleetSettings
from infra.tags import Labels
from tests.unit.infra.recording import Recording, Registration, record

END = datetime(2027, 3, 31, 18, tzinfo=UTC)
TYPES = ("c7i.large", "m7i.large")
LEGACY = "spot-fleet-request"


def _settings(**written: Any) -> FleetSettings:
    return fleet_settings.of_hosts(Fleet(valid_until=END, **written), TYPES)


def _declared(settings: FleetSettings, *, n_subnets: int = 2, boundary: str | None = None) -> Recording:
    def declare() -> dict[str, object]:
        hosts = StandingHosts(
            "standing-hosts",
            StandingHostsArgs(
                settings=settings,
                image_id="ami-1",
                volume_gib=30,
                key_name="key",
                security_group_id="sg-hosts",
                user="ubuntu",
                lifetime_s=3600,
                subnet_ids=[f"subnet-{number}" for number in range(n_subnets)],
                region="eu-west-3",
                permissions_boundary=boundary,
                labels=Labels("iris", "iris"),
            ),
        )
        return {"fleet": hosts.fleet_id}

    return record(declare)


def _overrides(fleet: Registration) -> list[dict[str, Any]]:
    return [override for each in fleet.inputs["launchTemplateConfigs"] for override in each["overrides"]]


def test_exactly_these_resources_are_declared() -> None:
    recording = _declared(_settings())

    assert Counter(each.type.rpartition(":")[2] for each in recording.resources()) == {"LaunchTemplate": 1, "Fleet": 1}
    assert recording.outputs["fleet"] == "id-rampart-iris-fleet"


def test_a_fleet_is_maintained_until_its_end_and_takes_its_machines_with_it() -> None:
    fleet = _declared(_settings()).only(":Fleet").inputs

    assert fleet["type"] == "maintain"
    assert fleet["validUntil"] == "2027-03-31T18:00:00Z"
    assert fleet["terminateInstances"] is fleet["terminateInstancesWithExpiration"] is True
    assert fleet["replaceUnhealthyInstances"] is True
    assert fleet["excessCapacityTerminationPolicy"] == "termination"


def test_the_end_is_told_in_utc() -> None:
    paris = datetime(2027, 3, 31, 20, tzinfo=timezone(timedelta(hours=2)))

    assert replace(_settings(), valid_until=paris).ends_at == "2027-03-31T18:00:00Z"


def test_its_size_is_left_to_the_runner() -> None:
    fleet = _declared(_settings(target=3, on_demand_base=1)).only(":Fleet")

    assert fleet.inputs["targetCapacitySpecification"] == {
        "defaultTargetCapacityType": "spot",
        "totalTargetCapacity": 3,
        "onDemandTargetCapacity": 1,
        "spotTargetCapacity": 2,
    }
    assert fleet.ignored == (
        "targetCapacitySpecification.totalTargetCapacity",
        "targetCapacitySpecification.onDemandTargetCapacity",
        "targetCapacitySpecification.spotTargetCapacity",
    )


@pytest.mark.parametrize(
    ("written", "on_demand"),
    [
        ({"target": 0, "on_demand_base": 2}, 0),
        ({"target": 1, "on_demand_base": 2}, 1),
        ({"target": 3, "spot": False}, 3),
        ({"target": 3}, 0),
    ],
)
def test_no_more_machines_are_on_demand_than_there_are(written: dict[str, Any], on_demand: int) -> None:
    assert _settings(**written).on_demand == on_demand


def test_every_type_may_be_launched_in_every_subnet_the_preferred_type_first() -> None:
    assert _overrides(_declared(_settings()).only(":Fleet")) == [
        {"instanceType": each, "subnetId": subnet} for each in TYPES for subnet in ("subnet-0", "subnet-1")
    ]


def test_types_of_the_fleets_own_win() -> None:
    fleet = _declared(_settings(instance_types=("r7i.large",)), n_subnets=1).only(":Fleet")

    assert _overrides(fleet) == [{"instanceType": "r7i.large", "subnetId": "subnet-0"}]


def test_a_most_for_a_spot_machine_is_a_decimal_number_in_every_pool() -> None:
    fleet = _declared(_settings(max_price_usd=0.00001)).only(":Fleet")

    assert {override["maxPrice"] for override in _overrides(fleet)} == {"0.00001"}


@pytest.mark.parametrize(
    ("allocation", "of_fleets", "of_requests"),
    [
        ("price-capacity-optimized", "price-capacity-optimized", "priceCapacityOptimized"),
        ("capacity-optimized", "capacity-optimized", "capacityOptimized"),
        ("diversified", "diversified", "diversified"),
        ("lowest-price", "lowestPrice", "lowestPrice"),
    ],
)
def test_a_strategy_is_spelt_as_the_provider_spells_it(allocation: str, of_fleets: str, of_requests: str) -> None:
    fleet = _declared(_settings(allocation=allocation)).only(":Fleet").inputs
    request = _declared(_settings(allocation=allocation, kind=LEGACY)).only(":SpotFleetRequest").inputs

    assert fleet["spotOptions"] == {"allocationStrategy": of_fleets, "instanceInterruptionBehavior": "terminate"}
    assert request["allocationStrategy"] == of_requests


def test_a_fleet_without_spot_machines_has_no_spot_options() -> None:
    fleet = _declared(_settings(spot=False)).only(":Fleet").inputs

    assert "spotOptions" not in fleet
    assert fleet["targetCapacitySpecification"]["defaultTargetCapacityType"] == "on-demand"


@pytest.mark.parametrize(("kind", "of"), [("ec2-fleet", ":Fleet"), (LEGACY, ":SpotFleetRequest")])
def test_requirements_take_the_place_of_types(kind: str, of: str) -> None:
    wanted = Requirements(vcpu_min=4, vcpu_max=8, memory_gib_min=16, burstable=True)
    fleet = _declared(_settings(kind=kind, requirements=wanted)).only(of)

    first, second = _overrides(fleet)
    assert (first["subnetId"], second["subnetId"]) == ("subnet-0", "subnet-1")
    assert first["instanceRequirements"] == {
        "vcpuCount": {"min": 4, "max": 8},
        "memoryMib": {"min": 16384},
        "acceleratorCount": {"max": 0},
        "burstablePerformance": "included",
        "instanceGenerations": ["current"],
    }
    assert "instanceType" not in first


def test_gpus_are_asked_for_by_maker() -> None:
    wanted = Requirements(gpus_min=1, memory_gib_max=64)
    override = _overrides(_declared(_settings(requirements=wanted)).only(":Fleet"))[0]["instanceRequirements"]

    assert override["acceleratorCount"] == {"min": 1}
    assert (override["acceleratorTypes"], override["acceleratorManufacturers"]) == (["gpu"], ["nvidia"])
    assert override["memoryMib"] == {"min": 4096, "max": 65536}


def test_requirements_are_asked_for_in_as_many_subnets_as_ec2_takes() -> None:
    fleet = _declared(_settings(requirements=Requirements()), n_subnets=6).only(":Fleet")

    assert [each["subnetId"] for each in _overrides(fleet)] == [f"subnet-{number}" for number in range(4)]


def test_many_pools_are_divided_as_the_provider_takes_them() -> None:
    many = tuple(f"c{number}i.large" for number in range(1, 41))
    fleet = _declared(_settings(instance_types=many), n_subnets=3).only(":Fleet")

    configs = fleet.inputs["launchTemplateConfigs"]
    assert [len(each["overrides"]) for each in configs] == [50, 50, 20]
    assert {json.dumps(each["launchTemplateSpecification"], sort_keys=True) for each in configs} == {
        '{"launchTemplateId": "id-rampart-iris-standing-host", "version": "1"}'
    }


def test_a_host_of_the_fleet_is_guarded_and_tells_how_old_it_may_become() -> None:
    template = _declared(_settings()).only(":LaunchTemplate").inputs

    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"
    assert template["instanceInitiatedShutdownBehavior"] == "terminate"
    assert "iamInstanceProfile" not in template
    assert template["imageId"] == "ami-1"
    tags = {each["resourceType"]: each["tags"] for each in template["tagSpecifications"]}
    assert tags["instance"] == {
        "Name": "rampart-iris-standing-host",
        "rampart:event": "iris",
        "rampart:stack": "iris",
        "rampart:max-lifetime-s": "3600",
    }


def test_a_host_of_the_fleet_ends_itself_and_shows_its_own_host_key() -> None:
    text = base64.b64decode(_declared(_settings()).only(":LaunchTemplate").inputs["userData"], validate=True)
    config = yaml.safe_load(text)

    assert config["runcmd"] == [["shutdown", "-h", "+60"]]
    assert (config["ssh_genkeytypes"], config["ssh"]) == (["ed25519"], {"emit_keys_on_console": True})
    assert "ssh_keys" not in config


def test_the_legacy_request_ends_as_a_fleet_does_and_its_size_is_left_to_the_runner() -> None:
    written = {"kind": LEGACY, "target": 2, "on_demand_base": 1, "max_price_usd": 0.05}
    request = _declared(_settings(**written)).only(":SpotFleetRequest")

    assert request.inputs["fleetType"] == "maintain"
    assert request.inputs["validUntil"] == "2027-03-31T18:00:00Z"
    assert request.inputs["terminateInstancesOnDelete"] == "true"
    assert request.inputs["terminateInstancesWithExpiration"] is True
    assert (request.inputs["targetCapacity"], request.inputs["onDemandTargetCapacity"]) == (2, 1)
    assert request.inputs["spotPrice"] == "0.05"
    assert request.ignored == ("targetCapacity", "onDemandTargetCapacity")
    (config,) = request.inputs["launchTemplateConfigs"]
    # it takes neither $Latest nor $Default
    assert config["launchTemplateSpecification"] == {"id": "id-rampart-iris-standing-host", "version": "1"}


def test_the_legacy_requests_role_is_taken_by_spot_fleets_alone_within_the_boundary() -> None:
    boundary = "arn:aws:iam::111122223333:policy/boundary"
    recording = _declared(_settings(kind=LEGACY), boundary=boundary)
    role, granted = recording.only(":Role").inputs, recording.only(":RolePolicyAttachment").inputs

    (statement,) = json.loads(role["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "spotfleet.amazonaws.com"}
    assert role["permissionsBoundary"] == boundary
    assert granted["policyArn"] == "arn:aws:iam::aws:policy/service-role/AmazonEC2SpotFleetTaggingRole"
    request = recording.only(":SpotFleetRequest")
    assert any(":RolePolicyAttachment::" in urn for urn in request.dependencies)


def test_everything_that_takes_tags_says_whose_it_is() -> None:
    for kind in ("ec2-fleet", LEGACY):
        for each in _declared(_settings(kind=kind)).resources():
            if not each.type.endswith(":RolePolicyAttachment"):
                tags = each.inputs["tags"]
                assert (tags["Name"], tags["rampart:stack"]) == (each.name, "iris")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"minimum": 11, "target": 11}, "infra.fleet.min"),
        ({"target": 11}, "infra.fleet.target"),
        ({"minimum": 1}, "infra.fleet.target"),
        ({"on_demand_base": 11}, "infra.fleet.on_demand_base"),
        ({"maximum": 10_001}, "infra.fleet.max"),
        ({"requirements": Requirements()}, "infra.fleet"),
        ({"instance_types": ()}, "infra.fleet"),
        ({"kind": LEGACY, "spot": False}, "infra.fleet.kind"),
        ({"spot": False, "max_price_usd": 0.1}, "infra.fleet.max_price_usd"),
        ({"instance_types": tuple(f"c{number}.large" for number in range(151))}, "150 instance types for infra.fleet"),
    ],
)
def test_what_would_cost_other_money_than_is_meant_is_refused(changes: dict[str, Any], key: str) -> None:
    settings = replace(_settings(), **changes)

    with pytest.raises(AskedWrongly) as refused:
        _declared(settings)
    assert key in refused.value.hint
    assert str(refused.value).startswith("infra.fleet: ")


def test_workers_of_a_cluster_are_a_fleet_too() -> None:
    dask = DaskCluster(valid_until=END, min=1, target=2, max=4, on_demand_base=1, max_price_usd=0.2)
    settings = fleet_settings.of_workers(dask, TYPES)

    assert (settings.key, settings.kind, settings.instance_types) == ("infra.dask", "ec2-fleet", TYPES)
    assert (settings.minimum, settings.target, settings.maximum, settings.on_demand) == (1, 2, 4, 1)
    assert fleet_settings.of_workers(
        dask.model_copy(update={"worker_types": ("r7i.large",)}), TYPES
    ).instance_types == ("r7i.large",)
