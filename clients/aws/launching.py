"""Write the calls that launch EC2 instances, or read their answers: pure functions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.instance import LaunchAnswer, LaunchRequest, Pool, Refusal

_TAGGED = ("instance", "volume", "network-interface")


def run_instances(request: LaunchRequest) -> dict[str, Any]:
    """The parameters of RunInstances for the request's first pool: as many as there are, up to its count."""
    pool = request.pools[0]
    parameters = _machine(request) | {
        "MinCount": 1,
        "MaxCount": request.count,
        "InstanceType": pool.instance_type,
        "ClientToken": request.client_token,
        "UserData": request.user_data,  # botocore encodes it here, and nowhere else
    }
    if pool.subnet_id:
        parameters["SubnetId"] = pool.subnet_id
    if request.spot:
        one_time = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        parameters["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": one_time}
    return parameters


def template_version(request: LaunchRequest) -> dict[str, Any]:
    """The parameters of CreateLaunchTemplateVersion: what of the request a fleet takes from its template alone."""
    encoded = base64.b64encode(request.user_data.encode()).decode()
    return {
        "LaunchTemplateId": request.launch_template_id,
        "SourceVersion": "$Default",
        "VersionDescription": request.client_token,
        "ClientToken": f"{request.client_token[:60]}-ltv",
        "LaunchTemplateData": _machine(request) | {"UserData": encoded},
    }


def create_fleet(request: LaunchRequest, version: str) -> dict[str, Any]:
    """The parameters of CreateFleet: all pools in one call that ends with what it could launch.

    On demand the types come in the order of the pools; spot machines come from where they are cheap and stay.
    """
    market = "spot" if request.spot else "on-demand"
    types = [] if request.spot else list(dict.fromkeys(pool.instance_type for pool in request.pools))
    parameters: dict[str, Any] = {
        "Type": "instant",
        "ClientToken": request.client_token,
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": request.count,
            "DefaultTargetCapacityType": market,
        },
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": request.launch_template_id, "Version": version},
                "Overrides": [_override(pool) | _priority(pool, types) for pool in request.pools],
            }
        ],
    }
    if request.spot:
        parameters["SpotOptions"] = {
            "AllocationStrategy": "price-capacity-optimized",
            "InstanceInterruptionBehavior": "terminate",
        }
    else:
        parameters["OnDemandOptions"] = {"AllocationStrategy": "prioritized" if len(types) > 1 else "lowest-price"}
    return parameters


def answer_of_fleet(request: LaunchRequest, answer: Mapping[str, Any]) -> LaunchAnswer:
    """Read CreateFleet's answer; an error that names no pool is one of them all."""
    ids = tuple(name for group in answer.get("Instances") or () for name in group.get("InstanceIds") or ())
    refusals = tuple(
        Refusal(pool, error.get("ErrorCode", ""), error.get("ErrorMessage", ""))
        for error in answer.get("Errors") or ()
        for pool in _pools_of(request, error)
    )
    return LaunchAnswer(ids, refusals)


def _machine(request: LaunchRequest) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in request.tags.items()]
    parameters: dict[str, Any] = {
        "ImageId": request.image_id,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
            "InstanceMetadataTags": "disabled",
        },
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in _TAGGED],
    }
    if request.key_name:
        parameters["KeyName"] = request.key_name
    if request.security_group_id:
        parameters["SecurityGroupIds"] = [request.security_group_id, *request.further_group_ids]
    if request.profile:
        parameters["IamInstanceProfile"] = {"Name": request.profile}
    return parameters


def _override(pool: Pool) -> dict[str, str]:
    override = {"InstanceType": pool.instance_type}
    return override | {"SubnetId": pool.subnet_id} if pool.subnet_id else override


def _priority(pool: Pool, types: Sequence[str]) -> dict[str, float]:
    """EC2 takes the lowest number first; where there is nothing to prefer it gets none."""
    return {"Priority": float(types.index(pool.instance_type))} if len(types) > 1 else {}


def _pools_of(request: LaunchRequest, error: Mapping[str, Any]) -> tuple[Pool, ...]:
    override = (error.get("LaunchTemplateAndOverrides") or {}).get("Overrides") or {}
    named = Pool(override.get("InstanceType", ""), override.get("SubnetId", ""))
    return (named,) if named in request.pools else request.pools
