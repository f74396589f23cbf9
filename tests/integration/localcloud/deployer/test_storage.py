"""What is kept outside of machines: buckets, shared files, secrets, deployed and taken away again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from botocore.exceptions import ClientError

from contracts.errors import CloudError
from infra.bucket import Bucket, BucketArgs
from infra.secrets import Secrets, SecretsArgs
from infra.shared_files import SharedFiles, SharedFilesArgs
from infra.tags import Labels
from tests.integration.localcloud.deployer.stages import Stage


def test_a_bucket_is_closed_encrypted_versioned_and_emptied_when_it_goes(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        bucket = Bucket("bucket", BucketArgs(results_days=30, keep=False, labels=Labels(stage.name, stage.name)))
        note = aws.s3.BucketObjectv2("note", bucket=bucket.bucket_name, key="a/note", content="é", tags={"a": "b"})
        return {"name": bucket.bucket_name, "arn": bucket.arn, "key": note.key}

    outputs = stage.up_twice(program)

    s3, name = stage.client("s3"), outputs["name"]
    assert outputs["arn"] == f"arn:aws:s3:::{name}"
    closed = s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
    assert set(closed.values()) == {True}
    [encryption] = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert encryption["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]}
    assert rules["results"]["Expiration"] == {"Days": 30}
    assert rules["what-nobody-sees"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=name)["Policy"]
    assert s3.get_object(Bucket=name, Key="a/note")["Body"].read() == "é".encode()
    s3.put_object(Bucket=name, Key="results/1", Body=b"old")
    s3.put_object(Bucket=name, Key="results/1", Body=b"new")
    s3.delete_object(Bucket=name, Key="results/1")

    stage.leaves_nothing()

    assert name not in [each["Name"] for each in s3.list_buckets()["Buckets"]]


def test_a_bucket_that_is_not_to_be_emptied_stays_while_something_is_in_it(stage: Stage) -> None:
    bucket = stage.up(lambda: {"name": aws.s3.Bucket("bucket").id}).outputs["name"]
    s3 = stage.client("s3")
    s3.put_object(Bucket=bucket, Key="mine", Body=b"")

    with pytest.raises(CloudError, match="BucketNotEmpty"):
        stage.deployer.destroy()

    s3.delete_object(Bucket=bucket, Key="mine")


def test_shared_files_stand_in_each_subnet_behind_a_policy(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.79.0.0/16")
        subnets = [
            aws.ec2.Subnet(f"subnet-{zone}", vpc_id=vpc.id, cidr_block=f"10.79.{n}.0/24", availability_zone=zone)
            for n, zone in enumerate(("eu-west-3a", "eu-west-3b"))
        ]
        clients = aws.ec2.SecurityGroup("clients", vpc_id=vpc.id)
        files = SharedFiles(
            "files",
            SharedFilesArgs(
                vpc.id,
                [subnet.id for subnet in subnets],
                {"dask": clients.id},
                keep=False,
                labels=Labels(stage.name, stage.name),
            ),
        )
        return {"files": files.file_system_id, "door": files.access_point_id}

    outputs = stage.up_twice(program)

    efs, identity = stage.client("efs"), outputs["files"]
    [system] = efs.describe_file_systems(FileSystemId=identity)["FileSystems"]
    assert (system["Encrypted"], system["NumberOfMountTargets"]) == (True, 2)
    [door] = efs.describe_access_points(AccessPointId=outputs["door"])["AccessPoints"]
    assert (door["FileSystemId"], door["PosixUser"]) == (identity, {"Uid": 1000, "Gid": 1000})
    assert door["RootDirectory"]["CreationInfo"] == {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0750"}
    policy = efs.describe_file_system_policy(FileSystemId=identity)["Policy"]
    assert outputs["door"] in policy
    slower = efs.update_file_system(FileSystemId=identity, ThroughputMode="elastic")
    assert slower["ThroughputMode"] == "elastic"
    stage.leaves_nothing()


def test_a_secret_is_kept_by_the_cloud_alone_and_its_name_is_free_again(stage: Stage) -> None:
    def program(value: str) -> Mapping[str, Any]:
        wanted = {"osf": "The token of the data's store", "other": "Given by hand"}
        values = {"osf": pulumi.Output.secret(value)}
        secrets = Secrets("secrets", SecretsArgs(wanted, values, Labels(stage.name, stage.name)))
        fixed = aws.secretsmanager.Secret("fixed", name=f"{stage.name}-fixed")
        return {"osf": secrets.arns["osf"], "other": secrets.arns["other"], "fixed": fixed.arn}

    outputs = stage.up_twice(lambda: program("opensesame"))

    client = stage.client("secretsmanager")
    assert client.get_secret_value(SecretId=outputs["osf"])["SecretString"] == "opensesame"
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_secret_value(SecretId=outputs["other"])
    assert "opensesame" not in stage.path.read_text()
    assert [name.startswith(f"rampart-{stage.name}-") for name in stage.up(lambda: program("another")).replaced] == [
        True
    ]
    assert client.get_secret_value(SecretId=outputs["osf"])["SecretString"] == "another"
    stage.leaves_nothing()
    again = stage.up(lambda: program("another")).outputs
    assert client.describe_secret(SecretId=again["fixed"])["Name"] == f"{stage.name}-fixed"
