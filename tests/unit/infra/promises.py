"""What must be empty for every recording, whatever the event asks for."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from tests.unit.infra.recording import Recording, Registration

UNTAGGABLE = {
    *("Route", "RouteTableAssociation", "RolePolicyAttachment", "RolePolicy"),
    *("BucketPublicAccessBlock", "BucketOwnershipControls", "BucketServerSideEncryptionConfiguration"),
    *("BucketVersioning", "BucketLifecycleConfiguration", "BucketPolicy"),
    *("MountTarget", "FileSystemPolicy", "SecretVersion", "EventTarget", "QueuePolicy"),
}
LONGEST_NAME = 56
"""IAM's 64 without what Pulumi appends."""
LONGEST_COMPONENT_NAME = 120
"""Image Builder's 128 without it."""
NAMELESS = {
    *("RolePolicyAttachment", "BucketPublicAccessBlock", "BucketOwnershipControls", "BucketVersioning", "BucketPolicy"),
    *("BucketServerSideEncryptionConfiguration", "BucketLifecycleConfiguration", "BucketObjectv2"),
}
"""What has a name in the program alone."""


def untagged(recording: Recording) -> list[str]:
    """Names of what takes tags and does not say by them what it is, and whose."""
    return [
        each.name
        for each in recording.resources()
        if _kind(each) not in UNTAGGABLE and not _is_tagged(each.inputs.get("tags", {}), each.name)
    ]


def misnamed(recording: Recording) -> list[str]:
    """Names longer than the shortest that AWS takes, of letters it does not, or given to two of a kind."""
    names = [(_kind(each), each.name) for each in recording.resources()]
    return [
        name
        for kind, name in names
        if len(name) > _longest(kind) or not re.fullmatch(r"[\w.-]+", name) or names.count((kind, name)) > 1
    ]


def badly_described(recording: Recording) -> list[str]:
    """Descriptions of security groups and their rules that EC2 would refuse, missing ones too."""
    taken = r"[a-zA-Z0-9. _:/()#,@\[\]+=&;{}!$*-]{1,255}"
    return [
        each.name
        for each in recording.resources()
        if _kind(each).startswith("SecurityGroup") and not re.fullmatch(taken, each.inputs.get("description", ""))
    ]


def let_the_world_in(recording: Recording) -> list[str]:
    """Names of the rules, inline ones too, that open a port to a range broader than /8."""
    return [
        each.name
        for each in recording.resources()
        if "ingress" in each.inputs or (_kind(each) == "SecurityGroupIngressRule" and not _is_somebody(each.inputs))
    ]


def unguarded(recording: Recording) -> list[str]:
    """Names of what launches machines without IMDSv2 and hop limit 1, or that stay when they are shut down."""
    return [each.name for each in recording.resources() if _kind(each) in _LAUNCHING and not _is_guarded(each)]


def unencrypted(recording: Recording) -> list[str]:
    """Names of disks, file systems, queues and buckets whose encryption is not written down."""
    buckets = {str(each.inputs["bucket"]) for each in recording.of(":BucketServerSideEncryptionConfiguration")}
    return [
        *(
            each.name
            for each in recording.resources()
            for volume in _volumes(each)
            if not _is_true(volume["encrypted"])
        ),
        *(each.name for each in recording.of(":FileSystem") if each.inputs.get("encrypted") is not True),
        *(each.name for each in recording.of(":Queue") if each.inputs.get("sqsManagedSseEnabled") is not True),
        *(each.name for each in recording.of("s3/bucket:Bucket") if f"id-{each.name}" not in buckets),
    ]


def with_credentials(recording: Recording) -> list[str]:
    """Names of what hands an instance profile to machines; image builds alone may."""
    return [
        each.name
        for each in recording.resources()
        if any("rofile" in key for key in each.inputs) and _kind(each) != "InfrastructureConfiguration"
    ]


def user_data(recording: Recording) -> Iterator[tuple[str, str]]:
    """Name and decoded user data of everything that has some."""
    for each in recording.resources():
        text = each.inputs.get("userData") or each.inputs.get("userDataBase64")
        if text is not None:
            yield each.name, text if text.startswith("#") else b64decode(text).decode()


def unordered(recording: Recording) -> list[str]:
    """Names of what refers to another resource's id or ARN and does not wait for it."""
    names = {each.name for each in recording.resources()}
    return [
        f"{each.name} on {name}"
        for each in recording.resources()
        for name in _referred(each.inputs) & names - {each.name}
        if not each.depends_on(name)
    ]


_LAUNCHING = {"LaunchTemplate", "Instance", "InfrastructureConfiguration"}


def _is_guarded(each: Registration) -> bool:
    if "launchTemplate" in each.inputs:  # it has all from there
        return True
    options = each.inputs.get("metadataOptions") or each.inputs.get("instanceMetadataOptions") or {}
    is_for_good = _kind(each) == "InfrastructureConfiguration" or (
        each.inputs.get("instanceInitiatedShutdownBehavior") == "terminate"
    )
    return options.get("httpTokens") == "required" and options.get("httpPutResponseHopLimit") == 1 and is_for_good


def _volumes(each: Registration) -> Iterator[dict[str, Any]]:
    for mapping in each.inputs.get("blockDeviceMappings", []):
        yield mapping["ebs"]
    if "rootBlockDevice" in each.inputs:
        yield each.inputs["rootBlockDevice"]


def _is_true(value: object) -> bool:
    return value is True or value == "true"


def _referred(value: object) -> set[str]:
    """Names of the resources whose made-up ids or ARNs stand somewhere in a value."""
    if isinstance(value, dict):
        return set().union(*(_referred(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(_referred(inner) for inner in value))
    return set(re.findall(r"(?:\bid-|arn:aws:test:::)([\w-]+)", value)) if isinstance(value, str) else set()


def _longest(kind: str) -> int:
    if kind in NAMELESS:
        return 256
    return LONGEST_COMPONENT_NAME if kind == "Component" else LONGEST_NAME


def _is_somebody(rule: dict[str, Any]) -> bool:
    if "cidrIpv6" in rule or "prefixListId" in rule:
        return False
    if "referencedSecurityGroupId" in rule:
        return "cidrIpv4" not in rule
    return ip_network(rule["cidrIpv4"]).prefixlen >= 8


def _is_tagged(tags: dict[str, str], name: str) -> bool:
    return (
        tags.get("Name") == name
        and tags.get("rampart:event") == "iris"
        and tags.get("rampart:stack") == "iris"
        and tags.get("rampart:managed-by") == "pulumi"
        and all(re.fullmatch(r"[\w .:/=+@-]{0,256}", value) for value in tags.values())
    )


def _kind(registration: Registration) -> str:
    return registration.type.rpartition(":")[2]
