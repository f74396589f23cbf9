"""The shared files are encrypted and reached by the event's machines alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from infra.shared_files import SharedFiles, SharedFilesArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

CLIENTS = {"server": "sg-server", "dask": "sg-dask"}


def _files(*, keep: bool = False, clients: Mapping[str, str] = CLIENTS) -> Recording:
    args = SharedFilesArgs("vpc-1", ("subnet-a", "subnet-b"), clients, keep, Labels(event="iris", stack="iris"))

    def declare() -> dict[str, Any]:
        made = SharedFiles("files", args)
        return {"file_system_id": made.file_system_id, "access_point_id": made.access_point_id}

    return record(declare)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return _files()


def test_files_are_encrypted_and_mounted_in_every_subnet(recording: Recording) -> None:
    targets = [each.inputs for each in recording.of(":MountTarget")]

    assert recording.only(":FileSystem").inputs["encrypted"] is True
    assert [target["subnetId"] for target in targets] == ["subnet-a", "subnet-b"]
    assert {target["fileSystemId"] for target in targets} == {recording.outputs["file_system_id"]}
    assert [target["securityGroups"] for target in targets] == [["id-rampart-iris-files"]] * 2


def test_only_the_clients_groups_come_in_and_only_for_nfs(recording: Recording) -> None:
    rules = [each.inputs for each in recording.of(":SecurityGroupIngressRule")]

    assert {(rule["securityGroupId"], rule["fromPort"], rule["toPort"]) for rule in rules} == {
        ("id-rampart-iris-files", 2049, 2049)
    }
    assert [rule["referencedSecurityGroupId"] for rule in rules] == ["sg-dask", "sg-server"]
    assert promises.let_the_world_in(recording) == []


def test_clients_without_any_other_way_out_have_one_to_the_files(recording: Recording) -> None:
    rules = [each.inputs for each in recording.of(":SecurityGroupEgressRule")]

    assert [(rule["securityGroupId"], rule["referencedSecurityGroupId"], rule["fromPort"]) for rule in rules] == [
        ("sg-dask", "id-rampart-iris-files", 2049),
        ("sg-server", "id-rampart-iris-files", 2049),
    ]


def test_the_files_are_seen_as_one_folder_of_one_user(recording: Recording) -> None:
    door = recording.only(":AccessPoint").inputs

    assert door["posixUser"] == {"uid": 1000, "gid": 1000}
    assert door["rootDirectory"] == {
        "path": "/event",
        "creationInfo": {"ownerUid": 1000, "ownerGid": 1000, "permissions": "0750"},
    }


def test_a_mount_in_the_clear_or_past_the_access_point_is_refused(recording: Recording) -> None:
    allowed, denied = json.loads(recording.only(":FileSystemPolicy").inputs["policy"])["Statement"]

    assert allowed["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"] == (
        "arn:aws:test:::rampart-iris-files"
    )
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_files_that_are_kept_hold_no_network() -> None:
    retained = {each.type.rpartition(":")[2] for each in _files(keep=True).resources() if each.retained}

    assert retained == {"FileSystem", "AccessPoint", "FileSystemPolicy"}
    assert not any(each.retained for each in _files().resources())


def test_everything_is_named_tagged_and_described_as_aws_takes_it(recording: Recording) -> None:
    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []
    assert promises.badly_described(recording) == []
