"""What image builds may do, and who may be one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from infra.build_profile import BuildProfile, BuildProfileArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

BUCKET = "arn:aws:s3:::rampart-iris-bucket"
SECRETS = ("arn:aws:secretsmanager:eu-west-3:1:secret:b", "arn:aws:secretsmanager:eu-west-3:1:secret:a")
BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"


def _profile(
    *,
    bucket: str | None = None,
    secrets: Sequence[str] = (),
    boundary: str | None = None,
    region: str = "eu-west-3",
    elsewhere: Sequence[str] = (),
    kms_key: str | None = None,
) -> Recording:
    labels = Labels(event="iris", stack="iris")
    args = BuildProfileArgs(bucket, secrets, elsewhere, kms_key, region, boundary, labels)

    def declare() -> dict[str, Any]:
        made = BuildProfile("profile", args)
        return {"profile_name": made.profile_name, "role_arn": made.role_arn}

    return record(declare)


def _statement(recording: Recording, name: str) -> dict[str, Any]:
    return dict(json.loads(recording.named(name).inputs["policy"])["Statement"][0])


def test_a_plain_build_has_what_aws_says_every_build_needs_and_no_more() -> None:
    recording = _profile()

    assert [each.inputs["policyArn"] for each in recording.of(":RolePolicyAttachment")] == [
        "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        "arn:aws:iam::aws:policy/EC2InstanceProfileForImageBuilder",
    ]
    assert recording.of(":RolePolicy") == []
    assert recording.only(":InstanceProfile").inputs["role"] == "rampart-iris-image-build"
    assert recording.outputs == {
        "profile_name": "rampart-iris-image-build",
        "role_arn": "arn:aws:test:::rampart-iris-image-build",
    }


@pytest.mark.parametrize(
    ("region", "service"), [("eu-west-3", "ec2.amazonaws.com"), ("cn-north-1", "ec2.amazonaws.com.cn")]
)
def test_the_role_is_taken_by_ec2_alone(region: str, service: str) -> None:
    (statement,) = json.loads(_profile(region=region).only(":Role").inputs["assumeRolePolicy"])["Statement"]

    assert statement["Principal"] == {"Service": service}


def test_the_bucket_and_exactly_the_events_secrets_may_be_read_each_by_a_policy_of_its_own() -> None:
    recording = _profile(bucket=BUCKET, secrets=SECRETS)

    bucket = _statement(recording, "rampart-iris-image-build-read-bucket")
    secrets = _statement(recording, "rampart-iris-image-build-read-secrets")
    assert bucket["Resource"] == [f"{BUCKET}/components/*", f"{BUCKET}/data/*"]
    assert (secrets["Action"], secrets["Resource"]) == ("secretsmanager:GetSecretValue", sorted(SECRETS))
    assert {each.inputs["role"] for each in recording.of(":RolePolicy")} == {"rampart-iris-image-build"}


def test_other_buckets_are_read_where_the_event_says_so_by_a_policy_of_its_own() -> None:
    recording = _profile(elsewhere=["s3://challenges/iris/private/"])

    (policy,) = recording.of(":RolePolicy")
    assert policy.name == "rampart-iris-image-build-read-elsewhere"
    assert _statement(recording, policy.name)["Resource"] == "arn:aws:s3:::challenges/iris/private/*"


def test_a_boundary_bounds_the_role() -> None:
    assert _profile(boundary=BOUNDARY).only(":Role").inputs["permissionsBoundary"] == BOUNDARY
    assert "permissionsBoundary" not in _profile().only(":Role").inputs


def test_everything_is_named_and_tagged_as_aws_takes_it() -> None:
    recording = _profile(bucket=BUCKET, secrets=SECRETS)

    assert promises.untagged(recording) == []
    assert [name for name in promises.misnamed(recording) if "RolePolicyAttachment" in name] == []
