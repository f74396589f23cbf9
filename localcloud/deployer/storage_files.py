"""Make EFS's file systems, the ways to mount them, their policies."""

from __future__ import annotations

import uuid

from localcloud.deployer.handler import Created, Handler, Wanted
from localcloud.deployer.shapes import chosen, tag_list


def _create_file_system(wanted: Wanted) -> Created:
    made = wanted.client("efs").create_file_system(
        CreationToken=wanted.inputs.get("creationToken", str(uuid.uuid4())),
        Tags=tag_list(wanted.inputs.get("tags", {})),
        **chosen(
            wanted.inputs,
            "availabilityZoneName",
            "encrypted",
            "kmsKeyId",
            "performanceMode",
            "provisionedThroughputInMibps",
            "throughputMode",
        ),
    )
    identity = made["FileSystemId"]
    names = {"arn": made["FileSystemArn"], "dnsName": _dns_name(wanted, identity), "ownerId": made["OwnerId"]}
    return Created(identity, names)


def _create_mount_target(wanted: Wanted) -> Created:
    file_system = wanted.inputs["fileSystemId"]
    made = wanted.client("efs").create_mount_target(
        FileSystemId=file_system, SubnetId=wanted.inputs["subnetId"], **chosen(wanted.inputs, "securityGroups")
    )
    outputs = {"ipAddress": made["IpAddress"], "networkInterfaceId": made["NetworkInterfaceId"]}
    return Created(made["MountTargetId"], {**outputs, "dnsName": _dns_name(wanted, file_system)})


def _dns_name(wanted: Wanted, file_system: str) -> str:
    return f"{file_system}.efs.{wanted.region}.amazonaws.com"


def _create_access_point(wanted: Wanted) -> Created:
    made = wanted.client("efs").create_access_point(
        ClientToken=str(uuid.uuid4()),
        FileSystemId=wanted.inputs["fileSystemId"],
        Tags=tag_list(wanted.inputs.get("tags", {})),
        **chosen(wanted.inputs, "posixUser", "rootDirectory"),
    )
    return Created(made["AccessPointId"], {"arn": made["AccessPointArn"], "ownerId": made["OwnerId"]})


def _put_policy(wanted: Wanted) -> Created:
    file_system = wanted.inputs["fileSystemId"]
    wanted.client("efs").put_file_system_policy(FileSystemId=file_system, Policy=wanted.inputs["policy"])
    return Created(file_system, {})


HANDLERS = {
    "aws:efs/fileSystem:FileSystem": Handler(
        _create_file_system,
        lambda made: made.client("efs").describe_file_systems(FileSystemId=made.id),
        lambda made: made.client("efs").delete_file_system(FileSystemId=made.id),
    ),
    "aws:efs/mountTarget:MountTarget": Handler(
        _create_mount_target,
        lambda made: made.client("efs").describe_mount_targets(MountTargetId=made.id),
        lambda made: made.client("efs").delete_mount_target(MountTargetId=made.id),
        joins=True,  # one per zone
    ),
    "aws:efs/accessPoint:AccessPoint": Handler(
        _create_access_point,
        lambda made: made.client("efs").describe_access_points(AccessPointId=made.id),
        lambda made: made.client("efs").delete_access_point(AccessPointId=made.id),
    ),
    "aws:efs/fileSystemPolicy:FileSystemPolicy": Handler(
        _put_policy,
        lambda made: made.client("efs").describe_file_system_policy(FileSystemId=made.id),
        lambda made: made.client("efs").delete_file_system_policy(FileSystemId=made.id),
        joins=True,
    ),
}
