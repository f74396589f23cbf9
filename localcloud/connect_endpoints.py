"""Keep EC2 Instance Connect Endpoints, which moto does not have: made, shown, deleted; no tunnel goes through them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.responses.subnets import Subnets
from moto.ec2.utils import convert_tag_spec, random_private_ip
from moto.moto_api._internal import mock_random

from localcloud.moto_patches import Patches

_KEPT = "instance_connect_endpoints"
"""Where a backend holds them: with the backend's reset they are gone too."""


def install(patches: Patches) -> None:
    """Add the calls to EC2's."""
    patches.put(Subnets, "create_instance_connect_endpoint", _create)
    patches.put(Subnets, "describe_instance_connect_endpoints", _describe)
    patches.put(Subnets, "delete_instance_connect_endpoint", _delete)


def _create(response: Subnets) -> ActionResult:
    response.error_on_dryrun()
    asked, backend = response.params, response.ec2_backend
    subnet = backend.get_subnet(asked["SubnetId"])
    groups = asked.get("SecurityGroupIds") or [
        backend.get_security_group_by_name_or_id("default", vpc_id=subnet.vpc_id).id
    ]
    interface = backend.create_network_interface(
        subnet, random_private_ip(), groups, description="EC2 Instance Connect Endpoint"
    )
    identity = f"eice-{mock_random.get_random_hex(17)}"
    region = backend.region_name
    tags = convert_tag_spec(asked.get("TagSpecifications", [])).get("instance-connect-endpoint", {})
    endpoint = {
        "OwnerId": backend.account_id,
        "InstanceConnectEndpointId": identity,
        "InstanceConnectEndpointArn": f"arn:{backend.partition}:ec2:{region}:{backend.account_id}:"
        f"instance-connect-endpoint/{identity}",
        "State": "create-complete",
        "StateMessage": "",
        "DnsName": f"{identity}.{mock_random.get_random_hex(8)}.ec2-instance-connect-endpoint.{region}.amazonaws.com",
        "NetworkInterfaceIds": [interface.id],
        "VpcId": subnet.vpc_id,
        "AvailabilityZone": subnet.availability_zone,
        "CreatedAt": utcnow(),
        "SubnetId": subnet.id,
        "PreserveClientIp": str(asked.get("PreserveClientIp", False)).lower() == "true",
        "SecurityGroupIds": list(groups),
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    _kept(backend)[identity] = endpoint
    return ActionResult({"InstanceConnectEndpoint": endpoint})


def _describe(response: Subnets) -> ActionResult:
    kept, asked = _kept(response.ec2_backend), response.params
    wanted = [_one(kept, identity) for identity in asked.get("InstanceConnectEndpointIds", [])] or list(kept.values())
    for each in asked.get("Filters", []):
        wanted = [endpoint for endpoint in wanted if _value(endpoint, each["Name"]) in each["Values"]]
    return ActionResult({"InstanceConnectEndpoints": wanted})


def _delete(response: Subnets) -> ActionResult:
    response.error_on_dryrun()
    backend = response.ec2_backend
    endpoint = _one(_kept(backend), response.params["InstanceConnectEndpointId"])
    for interface in endpoint["NetworkInterfaceIds"]:
        backend.delete_network_interface(interface)
    del _kept(backend)[endpoint["InstanceConnectEndpointId"]]
    return ActionResult({"InstanceConnectEndpoint": {**endpoint, "State": "delete-in-progress"}})


def _kept(backend: EC2Backend) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = vars(backend).setdefault(_KEPT, {})
    return kept


def _one(kept: Mapping[str, dict[str, Any]], identity: str) -> dict[str, Any]:
    if identity not in kept:
        wrong = f"The instance connect endpoint ID '{identity}' does not exist"
        raise EC2ClientError("InvalidInstanceConnectEndpointId.NotFound", wrong)
    return kept[identity]


def _value(endpoint: Mapping[str, Any], name: str) -> Any:
    """The value by which a filter chooses: `tag:KEY`, or a member in EC2's spelling of filters."""
    if name.startswith("tag:"):
        return next((tag["Value"] for tag in endpoint["Tags"] if tag["Key"] == name.removeprefix("tag:")), None)
    members = {"subnet-id": "SubnetId", "vpc-id": "VpcId", "state": "State"}
    members["instance-connect-endpoint-id"] = "InstanceConnectEndpointId"
    if name not in members:
        raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
    return endpoint[members[name]]
