"""Launch, look at and end EC2 instances, in the few verbs the host pool needs."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import boto3
from botocore import xform_name

from clients.aws import launching
from clients.aws.pacing import Heard, Pacing, nobody
from clients.aws.session import client_of, translated
from contracts.errors import CloudError
from contracts.instance import LAUNCH_TAG, Instance, LaunchAnswer, LaunchRequest, Refusal

_log = logging.getLogger(__name__)
_BATCH = 100  # TerminateInstances is one all-or-nothing call: small batches keep a bad id's damage small
_PAGE = 1000
_FILTER_VALUES = 200
_SETTLING_LOOKS = 60
_SETTLING_PAUSE_S = 1.0
"""For a minute after a launch EC2 may not know the instance yet: its API is eventually consistent."""
_UNKNOWN = "InvalidInstanceID.NotFound"
_ABOUT_ONE_ID = ("InvalidInstanceID", "IncorrectInstanceState", "OperationNotPermitted", "UnsupportedOperation")
_OF_ONE_POOL = frozenset(
    {
        "InstanceLimitExceeded",
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",
        "VcpuLimitExceeded",
    }
)
"""Refusals for want of a machine in the pool that was asked; not every zone has every instance type."""
_MARKED = frozenset({"marked-for-stop", "marked-for-termination"})


class Ec2:
    """The EC2 API of one event's region, asked no faster than it likes."""

    def __init__(
        self,
        session: Any,
        *,
        pacing: Pacing | None = None,
        wait: Callable[[float], object] = time.sleep,
        heard: Heard = nobody,
    ) -> None:
        self._client = client_of(session, "ec2")
        # botocore slows a whole client down when one action is throttled: hosts are ended through another one
        self._ending = client_of(session, "ec2")
        self._pacing = pacing or Pacing(wait=wait, heard=heard)
        self._wait = wait

    @classmethod
    def in_region(cls, region: str) -> Ec2:
        """The EC2 API of a region without an event, with the credentials any AWS tool would find. Raises CloudError."""
        with translated(f"open EC2 in the region {region!r}"):
            return cls(boto3.Session(region_name=region))

    def launch(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        """Start the instances asked for, or fewer; the same `client_token` never starts a second lot.

        A fleet from the launch template where there is one, all pools in one call. `again` where it may have been
        asked before, by somebody who did not live to hear the answer. Raises CloudError.
        """
        if request.launch_template_id:
            return self._fleet(request, again=again)
        try:
            answer = self._asked("launch instances", "RunInstances", **launching.run_instances(request))
        except CloudError as error:
            if error.code not in _OF_ONE_POOL:
                raise
            return LaunchAnswer((), (Refusal(request.pools[0], error.code, error.message),))
        return LaunchAnswer(tuple(found["InstanceId"] for found in answer["Instances"]))

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        """Every instance that carries all of `tags`, the ended ones that AWS still lists included."""
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        return self._described(Filters=filters, MaxResults=_PAGE)

    def instance(self, instance_id: str) -> Instance | None:
        """One instance, or None where AWS does not know it (yet, or any more)."""
        try:
            found = self._described(InstanceIds=[instance_id])
        except CloudError as error:
            if error.code == _UNKNOWN:
                return None
            raise
        return found[0] if found else None

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; those AWS does not know are passed over. One that cannot be ended keeps no other from it."""
        ids = list(instance_ids)
        errors = [
            error
            for start in range(0, len(ids), _BATCH)
            for error in self._terminate_batch(ids[start : start + _BATCH])
        ]
        if errors:
            raise errors[0]

    def reclaimed(self, instance_ids: Collection[str]) -> dict[str, str]:
        """Those spot instances AWS has marked to be taken back, with the status of their request."""
        ids = list(instance_ids)
        found: dict[str, str] = {}
        for start in range(0, len(ids), _FILTER_VALUES):
            filters = [{"Name": "instance-id", "Values": ids[start : start + _FILTER_VALUES]}]
            for page in self._pages("DescribeSpotInstanceRequests", "list spot requests", Filters=filters):
                for request in page["SpotInstanceRequests"]:
                    code = request.get("Status", {}).get("Code", "")
                    if code in _MARKED:
                        found[request.get("InstanceId", "")] = code
        return found

    def security_group_id(self, name: str) -> str:
        """The id of the security group called `name` (or whose id it is). Raises CloudError when there is none."""
        key = "group-id" if name.startswith("sg-") else "group-name"
        filters = [{"Name": key, "Values": [name]}]
        doing = f"look up the security group {name}"
        groups = self._asked(doing, "DescribeSecurityGroups", Filters=filters)["SecurityGroups"]
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

    def _fleet(self, request: LaunchRequest, *, again: bool) -> LaunchAnswer:
        """Launch from a version of the template of this call's own, which is gone once AWS has answered."""
        version = (self._version_made_before(request) if again else None) or self._new_version(request)
        try:
            answer = self._asked("launch a fleet", "CreateFleet", **launching.create_fleet(request, version))
        except CloudError as error:
            # the version this was asked with before is gone, which happens after an answer only
            if error.code == "IdempotentParameterMismatch" and again:
                self._remove_version(request, version)
                return LaunchAnswer(self._launched_before(request))
            if not error.is_uncertain:
                self._remove_version(request, version)
            raise
        self._remove_version(request, version)
        return launching.answer_of_fleet(request, answer)

    def _new_version(self, request: LaunchRequest) -> str:
        parameters = launching.template_version(request)
        answer = self._asked("write a launch template version", "CreateLaunchTemplateVersion", **parameters)
        return str(answer["LaunchTemplateVersion"]["VersionNumber"])

    def _version_made_before(self, request: LaunchRequest) -> str | None:
        query = {"LaunchTemplateId": request.launch_template_id}
        for page in self._pages("DescribeLaunchTemplateVersions", "list launch template versions", **query):
            for version in page["LaunchTemplateVersions"]:
                if version.get("VersionDescription") == request.client_token:
                    return str(version["VersionNumber"])
        return None

    def _remove_version(self, request: LaunchRequest, version: str) -> None:
        """It holds the hosts' private key; what cannot be removed now is no reason to lose the hosts."""
        query = {"LaunchTemplateId": request.launch_template_id, "Versions": [version]}
        try:
            self._asked("remove a launch template version", "DeleteLaunchTemplateVersions", **query)
        except CloudError as error:
            _log.error("%s", error, extra={"action": "remove-template-version"})

    def _launched_before(self, request: LaunchRequest) -> tuple[str, ...]:
        """Find what a launch started by its tag, which may take AWS some seconds to show."""
        for _ in range(_SETTLING_LOOKS):
            found = self.instances({LAUNCH_TAG: request.tags[LAUNCH_TAG]})
            if found:
                return tuple(one.instance_id for one in found)
            self._wait(_SETTLING_PAUSE_S)
        return ()

    def _described(self, **query: Any) -> list[Instance]:
        return [
            _instance(found)
            for page in self._pages("DescribeInstances", "list instances", **query)
            for reservation in page["Reservations"]
            for found in reservation["Instances"]
        ]

    def _terminate_batch(self, batch: Sequence[str]) -> list[CloudError]:
        """End all but those AWS refuses to, and give what it said of these; one makes it refuse the whole call."""
        try:
            self._asked("terminate instances", "TerminateInstances", InstanceIds=list(batch))
        except CloudError as error:
            if not error.code.startswith(_ABOUT_ONE_ID):
                return [error]
            refused = set(re.findall(r"i-[0-9a-f]+", error.message)) & set(batch)
            if len(batch) == 1 or refused == set(batch):
                return [] if error.code == _UNKNOWN else [error]
            if refused:
                others = self._terminate_batch([one for one in batch if one not in refused])
                return others if error.code == _UNKNOWN else [error, *others]
            half = len(batch) // 2
            return [*self._terminate_batch(batch[:half]), *self._terminate_batch(batch[half:])]
        return []

    def _pages(self, action: str, doing: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        while True:
            page = self._asked(doing, action, **query)
            yield page
            token = page.get("NextToken")
            if not token:
                return
            query["NextToken"] = token

    def _asked(self, doing: str, action: str, **parameters: Any) -> Mapping[str, Any]:
        client = self._ending if action == "TerminateInstances" else self._client
        verb = getattr(client, xform_name(action))

        def call() -> Mapping[str, Any]:
            with translated(doing):
                answer: Mapping[str, Any] = verb(**parameters)
            return answer

        return self._pacing.ask(action, call)


def _instance(found: Mapping[str, Any]) -> Instance:
    reason = found.get("StateReason") or {}
    return Instance(
        instance_id=found["InstanceId"],
        state=found["State"]["Name"],
        address=found.get("PublicIpAddress") or found.get("PrivateIpAddress") or "",
        image_id=found.get("ImageId", ""),
        instance_type=found.get("InstanceType", ""),
        launched_at=found["LaunchTime"],
        reason=reason.get("Message", ""),
        reason_code=reason.get("Code", ""),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        private_address=found.get("PrivateIpAddress", ""),
    )
