"""IAM documents allow one function each, on what they name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from infra import policies

BUCKET = "arn:aws:s3:::rampart-iris-bucket-1234567"
SECRET = "arn:aws:secretsmanager:eu-west-3:111122223333:secret:rampart-iris-secret-osf-1234567-AbCdEf"
KIT, PRIVATE = "s3://challenges/iris-kit.tar.gz", "s3://challenges/iris/private/"
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FILES = "arn:aws:elasticfilesystem:eu-west-3:111122223333:file-system/fs-1"
DOOR = "arn:aws:elasticfilesystem:eu-west-3:111122223333:access-point/fsap-1"

DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "reads_bucket": lambda: policies.reads_bucket(BUCKET),
    "reads_elsewhere": lambda: policies.reads_elsewhere("eu-west-3", [KIT, PRIVATE], KEY),
    "reads_secrets": lambda: policies.reads_secrets([SECRET]),
    "tls_only_bucket": lambda: policies.tls_only_bucket(BUCKET),
    "tls_only_file_system": lambda: policies.tls_only_file_system(FILES, DOOR),
    "assumed_by_image_builder": policies.assumed_by_image_builder,
    "retires_images": lambda: policies.retires_images("aws", "eu-west-3", stack="iris", recipe="rampart-Iris-recipe"),
}
WITHOUT_A_RESOURCE = {"retires_images": [["ec2:DescribeImages", "tag:GetResources"]]}
"""Actions that IAM takes on `*` alone."""


@pytest.fixture(params=sorted(DOCUMENTS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_everything_is_a_resource_only_of_actions_that_take_no_other(name: str) -> None:
    statements = DOCUMENTS[name]()["Statement"]

    unbounded = [each["Action"] for each in statements if each.get("Resource") == "*"]
    assert unbounded == WITHOUT_A_RESOURCE.get(name, [])


def test_no_action_is_allowed_by_a_wildcard(name: str) -> None:
    for statement in DOCUMENTS[name]()["Statement"]:
        if statement["Effect"] == "Allow":
            assert "*" not in json.dumps(statement["Action"])
            assert not {"NotAction", "NotResource", "NotPrincipal"} & set(statement)


def test_a_document_fits_where_it_is_attached(name: str) -> None:
    # 2,048 characters of trust policy, 10,240 of all inline policies of a role
    document = json.dumps(DOCUMENTS[name]())

    assert len(document) <= 2048
    assert json.loads(document)["Version"] == "2012-10-17"


def test_builds_read_data_and_documents_of_the_bucket_and_nothing_else_of_it() -> None:
    read, listed = policies.reads_bucket(BUCKET)["Statement"]

    assert read["Action"] == "s3:GetObject"
    assert read["Resource"] == [f"{BUCKET}/components/*", f"{BUCKET}/data/*"]
    assert (listed["Action"], listed["Resource"]) == ("s3:ListBucket", BUCKET)
    assert listed["Condition"] == {"StringLike": {"s3:prefix": ["components/*", "data/*"]}}


def test_builds_read_one_object_or_one_folder_of_another_bucket_and_nothing_beside_it() -> None:
    kit, kit_listed, data, data_listed = policies.reads_elsewhere("cn-north-1", [PRIVATE, KIT], None)["Statement"]

    assert kit["Resource"] == "arn:aws-cn:s3:::challenges/iris-kit.tar.gz"
    assert data["Resource"] == "arn:aws-cn:s3:::challenges/iris/private/*"
    assert kit["Action"] == data["Action"] == "s3:GetObject"
    prefixes = [each["Condition"]["StringLike"]["s3:prefix"] for each in (kit_listed, data_listed)]
    assert prefixes == [["iris-kit.tar.gz"], ["iris/private/*"]]


def test_what_is_stored_encrypted_is_decrypted_through_s3_alone() -> None:
    *_, decrypts = policies.reads_elsewhere("eu-west-3", [KIT], KEY)["Statement"]

    assert (decrypts["Action"], decrypts["Resource"]) == ("kms:Decrypt", KEY)
    assert decrypts["Condition"] == {"StringEquals": {"kms:ViaService": "s3.eu-west-3.amazonaws.com"}}


def test_a_bucket_refuses_everybody_what_comes_in_the_clear() -> None:
    (statement,) = policies.tls_only_bucket(BUCKET)["Statement"]

    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Resource"] == [BUCKET, f"{BUCKET}/*"]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_files_are_mounted_through_the_access_point_without_root_and_never_in_the_clear() -> None:
    allowed, denied = policies.tls_only_file_system(FILES, DOOR)["Statement"]

    assert allowed["Action"] == ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
    assert allowed["Condition"]["StringEquals"] == {"elasticfilesystem:AccessPointArn": DOOR}
    assert (denied["Effect"], denied["Action"]) == ("Deny", "*")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert {allowed["Resource"], denied["Resource"]} == {FILES}


def test_only_what_image_builder_made_for_the_stack_is_deleted() -> None:
    amis, snapshots, images, _ = policies.retires_images(
        "aws-cn", "cn-north-1", stack="Iris", recipe="rampart-Iris-recipe"
    )["Statement"]

    assert amis["Condition"]["StringEquals"] == {
        "aws:ResourceTag/CreatedBy": "EC2 Image Builder",
        "aws:ResourceTag/rampart:stack": "Iris",
    }
    assert amis["Condition"]["StringNotEquals"] == {"aws:ResourceTag/rampart:status": "verified"}
    assert amis["Resource"] == "arn:aws-cn:ec2:cn-north-1::image/*"
    assert snapshots["Resource"] == "arn:aws-cn:ec2:cn-north-1::snapshot/*"
    assert snapshots["Condition"]["StringEquals"] == {"aws:ResourceTag/CreatedBy": "EC2 Image Builder"}
    assert images["Resource"] == "arn:aws-cn:imagebuilder:cn-north-1:*:image/rampart-iris-recipe-*"
