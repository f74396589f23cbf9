"""Complete moto where a deployment meets a gap in it: NAT gateways, file systems, budgets, policies, copied images."""

from __future__ import annotations

import json
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.models import Budget
from moto.budgets.responses import BudgetsResponse
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend
from moto.ec2.responses.amis import AmisResponse
from moto.efs.exceptions import FileSystemNotFound
from moto.efs.models import EFSBackend
from moto.efs.responses import EFSResponse
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket

from localcloud.moto_patches import Original, Patches

_JSON = {"Content-Type": "application/json"}


def install(patches: Patches) -> None:
    """Add the calls, and what others lack."""
    patches.wrap(NatGatewayBackend, "delete_nat_gateway", _delete_nat_gateway)
    patches.wrap(EFSBackend, "describe_file_system_policy", _describe_policy)
    patches.put(EFSResponse, "delete_file_system_policy", _delete_policy)
    patches.put(EFSResponse, "update_file_system", _update_file_system)
    patches.wrap(FakeBucket, "get_permission", _permission)
    patches.wrap(AmisResponse, "copy_image", _copy_image)
    patches.put(BudgetsResponse, "update_budget", _update_budget)
    patches.put(BudgetsResponse, "describe_subscribers_for_notification", _subscribers)


def _delete_nat_gateway(original: Original, backend: Any, nat_gateway_id: str) -> NatGateway:
    """moto leaves the address taken and the interface in its subnet, which then cannot be deleted."""
    gateway: NatGateway = original(backend, nat_gateway_id)
    for place in gateway.address_set:
        if place.get("associationId"):
            backend.disassociate_address(association_id=place["associationId"])
    backend.delete_network_interface(gateway._eni.id)
    return gateway


def _copy_image(original: Original, response: AmisResponse) -> Any:
    """moto forgets what a copy is asked to be: encrypted, and tagged with its snapshot."""
    answer = original(response)
    copy = response.ec2_backend.amis[answer.result["ImageId"]]
    copy.ebs_snapshot.encrypted = str(response._get_param("Encrypted", "")).lower() == "true"
    for spec in response._get_param("TagSpecifications", []):
        tagged = copy.ebs_snapshot if spec["ResourceType"] == "snapshot" else copy
        tagged.add_tags({tag["Key"]: tag["Value"] for tag in spec.get("Tags", [])})
    return answer


def _describe_policy(original: Original, backend: EFSBackend, file_system_id: str) -> str:
    _file_system(backend, file_system_id)
    policy: str = original(backend, file_system_id)
    return policy


def _delete_policy(response: EFSResponse) -> Any:
    _file_system(response.efs_backend, response._get_param("FileSystemId")).file_system_policy = None
    return "{}", {"status": 200, **_JSON}


def _update_file_system(response: EFSResponse) -> Any:
    system = _file_system(response.efs_backend, response._get_param("FileSystemId"))
    system.throughput_mode = response._get_param("ThroughputMode") or system.throughput_mode
    provisioned = response._get_param("ProvisionedThroughputInMibps")
    system.provisioned_throughput_in_mibps = provisioned or system.provisioned_throughput_in_mibps
    return json.dumps(system.info_json()), {"status": 202, **_JSON}


def _file_system(backend: EFSBackend, file_system_id: str) -> Any:
    if file_system_id not in backend.file_systems_by_id:
        raise FileSystemNotFound(file_system_id)
    return backend.file_systems_by_id[file_system_id]


def _permission(original: Original, bucket: FakeBucket, action: str, resource: str) -> Any:
    """moto takes "denied without TLS" for "denied"; what never leaves this machine counts as sent over TLS here."""
    if bucket.policy is None:
        return original(bucket, action, resource)
    document = json.loads(bucket.policy)
    rest = [statement for statement in document["Statement"] if not _demands_tls(statement)]
    if not rest:
        return PermissionResult.NEUTRAL
    return IAMPolicy(json.dumps({**document, "Statement": rest})).is_action_permitted(action, resource)


def _demands_tls(statement: dict[str, Any]) -> bool:
    condition = statement.get("Condition", {}).get("Bool", {})
    return statement.get("Effect") == "Deny" and str(condition.get("aws:SecureTransport")).lower() == "false"


def _update_budget(response: BudgetsResponse) -> str:
    account, wanted = response._get_param("AccountId"), response._get_param("NewBudget")
    _budget(response, account, wanted["BudgetName"]).budget.update(wanted)
    return "{}"


def _subscribers(response: BudgetsResponse) -> str:
    budget = _budget(response, response._get_param("AccountId"), response._get_param("BudgetName"))
    wanted = response._get_param("Notification")
    for notification in budget.notifications:
        if notification.details == wanted:
            return json.dumps({"Subscribers": notification.subscribers})
    raise NotFoundException(f"Unable to find such a notification of {response._get_param('BudgetName')}")


def _budget(response: BudgetsResponse, account: str, name: str) -> Budget:
    budgets = response.backend.budgets[account]
    if name not in budgets:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return budgets[name]
