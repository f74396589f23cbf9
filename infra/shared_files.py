"""Declare the file system that an event's machines share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies, rules
from infra.component import Component
from infra.tags import Labels

NFS = 2049
FOLDER = "/event"
OWNER_ID = 1000
"""The first user of Ubuntu and its like."""


@dataclass(frozen=True)
class SharedFilesArgs:
    """Where the file system can be mounted: one subnet per availability zone, from the groups of the clients.

    `client_group_ids` are by what the clients are called. With `keep` the files outlive the stack.
    """

    vpc_id: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    client_group_ids: Mapping[str, pulumi.Input[str]]
    keep: bool
    labels: Labels


class SharedFiles(Component):
    """An encrypted EFS file system: mounted over TLS, by the clients alone, through one folder and as one user."""

    file_system_id: pulumi.Output[str]
    access_point_id: pulumi.Output[str]

    def __init__(self, name: str, args: SharedFilesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("SharedFiles", name, args.labels, opts)
        self._args = args
        # Mount targets and group are never kept: they would hold the network.
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        files = aws.efs.FileSystem(self.called("files"), encrypted=True, tags=self.tags("files"), opts=self._kept)
        self._mount_targets(files, self._group())
        door = self._access_point(files)
        self._policy(files, door)
        self.file_system_id = files.id
        self.access_point_id = door.id
        self.register_outputs({"fileSystemId": self.file_system_id, "accessPointId": self.access_point_id})

    def _group(self) -> pulumi.Output[str]:
        description = "Shared files: NFS from the machines of the event, no way out"
        group = rules.closed_group(self, "files", self._args.vpc_id, description)
        for client, client_group in sorted(self._args.client_group_ids.items()):
            rules.let_in(self, f"files-from-{client}", group, port=NFS, from_group=client_group)
            rules.let_out(self, f"{client}-to-files", client_group, port=NFS, to_group=group)
        return group

    def _mount_targets(self, files: aws.efs.FileSystem, group: pulumi.Output[str]) -> None:
        for index, subnet_id in enumerate(self._args.subnet_ids):
            aws.efs.MountTarget(
                self.called(f"files-{index}"),
                file_system_id=files.id,
                subnet_id=subnet_id,
                security_groups=[group],
                opts=self.inside,
            )

    def _access_point(self, files: aws.efs.FileSystem) -> aws.efs.AccessPoint:
        return aws.efs.AccessPoint(
            self.called("files"),
            file_system_id=files.id,
            posix_user=aws.efs.AccessPointPosixUserArgs(uid=OWNER_ID, gid=OWNER_ID),
            root_directory=aws.efs.AccessPointRootDirectoryArgs(
                path=FOLDER,
                creation_info=aws.efs.AccessPointRootDirectoryCreationInfoArgs(
                    owner_uid=OWNER_ID, owner_gid=OWNER_ID, permissions="0750"
                ),
            ),
            tags=self.tags("files"),
            opts=self._kept,
        )

    def _policy(self, files: aws.efs.FileSystem, door: aws.efs.AccessPoint) -> None:
        document = pulumi.Output.all(files.arn, door.arn).apply(
            lambda arns: json.dumps(policies.tls_only_file_system(*arns), sort_keys=True)
        )
        aws.efs.FileSystemPolicy(self.called("files"), file_system_id=files.id, policy=document, opts=self._kept)
