"""Launch, look at and end EC2 instances, in the few verbs the host pool needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import boto3

from clients.aws.session import client_of, translated
from contracts.errors import CloudError
from contracts.instance import Instance, LaunchRequest

_BATCH = 100  # TerminateInstances is one all-or-nothing call: small batches keep a bad id's damage small
_PAGE = 1000
_SETTLING_S = 60.0
"""For this long after a launch EC2 may not know the instance yet: its API is eventually consistent."""
_SETTLING_PAUSE_S = 1.0


class Ec2:
    """The EC2 API of one event's region."""

    def __init__(
        self,
        session: Any,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._client = client_of(session, "ec2")
        self._clock = clock
        self._wait = wait
        self._launched_at: dict[str, float] = {}

    @classmethod
    def in_region(cls, region: str) -> Ec2:
        """The EC2 API of a region without an event, with the credentials any AWS tool would find. Raises CloudError."""
        with translated(f"open EC2 in the region {region!r}"):
            return cls(boto3.Session(region_name=region))

    def launch(self, request: LaunchRequest) -> Instance:
        """Start one instance; the same `client_token` never starts a second one. Raises CloudError."""
        parameters: dict[str, Any] = {
            "MinCount": 1,
            "MaxCount": 1,
            "ImageId": request.image_id,
            "InstanceType": request.instance_type,
            "ClientToken": request.client_token,
            "UserData": request.user_data,
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {
                "HttpTokens": "required",
                "HttpPutResponseHopLimit": 1,
                "HttpEndpoint": "enabled",
                "InstanceMetadataTags": "disabled",
            },
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in request.tags.items()]}
                for kind in ("instance", "volume", "network-interface")
            ],
        }
        if request.launch_template_id:
            parameters["LaunchTemplate"] = {"LaunchTemplateId": request.launch_template_id, "Version": "$Latest"}
        if request.key_name:
            parameters["KeyName"] = request.key_name
        if request.security_group_id:
            parameters["SecurityGroupIds"] = [request.security_group_id]
        if request.subnet_id:
            parameters["SubnetId"] = request.subnet_id
        if request.spot:
            one_time = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
            parameters["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": one_time}
        with translated("launch an instance"):
            answer = self._client.run_instances(**parameters)
        launched = _instance(answer["Instances"][0])
        self._launched_at[launched.instance_id] = self._clock()
        return launched

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        """Every instance that carries all of `tags`, the ended ones that AWS still lists included."""
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        return self._described(Filters=filters, MaxResults=_PAGE)

    def instance(self, instance_id: str) -> Instance | None:
        """One instance, or None where AWS does not know it (yet, or any more)."""
        try:
            found = self._described(InstanceIds=[instance_id])
        except CloudError as error:
            if error.code == "InvalidInstanceID.NotFound":
                return None
            raise
        return found[0] if found else None

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; those AWS no longer knows count as ended, those it does not know yet are waited for."""
        for start in range(0, len(instance_ids), _BATCH):
            self._terminate_batch(list(instance_ids[start : start + _BATCH]))

    def security_group_id(self, name: str) -> str:
        """The id of the security group called `name` (or whose id it is). Raises CloudError when there is none."""
        key = "group-id" if name.startswith("sg-") else "group-name"
        with translated(f"look up the security group {name}"):
            groups = self._client.describe_security_groups(Filters=[{"Name": key, "Values": [name]}])["SecurityGroups"]
        if not groups:
            hint = "list them: aws ec2 describe-security-groups --query 'SecurityGroups[].GroupName'"
            raise CloudError(
                f"no security group named {name!r} in this region", code="InvalidGroup.NotFound", hint=hint
            )
        if len(groups) > 1:
            found = ", ".join(f"{group['GroupId']} in {group.get('VpcId', 'no VPC')}" for group in groups)
            raise CloudError(
                f"several security groups are named {name!r}: {found}",
                hint="write the id of one: worker.security_group",
            )
        return str(groups[0]["GroupId"])

    def _described(self, **query: Any) -> list[Instance]:
        with translated("list instances"):
            pages = self._client.get_paginator("describe_instances").paginate(**query)
            return [
                _instance(found)
                for page in pages
                for reservation in page["Reservations"]
                for found in reservation["Instances"]
            ]

    def _terminate_batch(self, batch: list[str]) -> None:
        try:
            with translated("terminate instances"):
                self._client.terminate_instances(InstanceIds=batch)
            for instance_id in batch:
                self._launched_at.pop(instance_id, None)
        except CloudError as error:
            if error.code != "InvalidInstanceID.NotFound":
                raise
            if len(batch) > 1:  # one unknown id makes AWS refuse the whole call
                for instance_id in batch:
                    self._terminate_batch([instance_id])
            elif self._is_young(batch[0]):
                self._wait(_SETTLING_PAUSE_S)
                self._terminate_batch(batch)

    def _is_young(self, instance_id: str) -> bool:
        launched_at = self._launched_at.get(instance_id)
        return launched_at is not None and self._clock() - launched_at < _SETTLING_S


def _instance(found: Mapping[str, Any]) -> Instance:
    return Instance(
        instance_id=found["InstanceId"],
        state=found["State"]["Name"],
        address=found.get("PublicIpAddress") or found.get("PrivateIpAddress") or "",
        image_id=found.get("ImageId", ""),
        instance_type=found.get("InstanceType", ""),
        launched_at=found["LaunchTime"],
        reason=(found.get("StateReason") or {}).get("Message", ""),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
    )
