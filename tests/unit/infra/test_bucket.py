"""A bucket is private, encrypted, over TLS alone, and remembers what is deleted for a while."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import naming
from infra.bucket import Bucket, BucketArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

EVENTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)


def _bucket(*, keep: bool = False, event: str = "iris") -> Recording:
    args = BucketArgs(results_days=90, keep=keep, labels=Labels(event=event, stack="iris"))

    def declare() -> dict[str, Any]:
        made = Bucket("bucket", args)
        return {"name": made.bucket_name, "arn": made.arn}

    return record(declare)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return _bucket()


def test_nothing_in_it_can_be_made_public(recording: Recording) -> None:
    closed = recording.only(":BucketPublicAccessBlock").inputs

    assert {name for name, value in closed.items() if value is True} == {
        "blockPublicAcls",
        "blockPublicPolicy",
        "ignorePublicAcls",
        "restrictPublicBuckets",
    }
    assert recording.only(":BucketOwnershipControls").inputs["rule"] == {"objectOwnership": "BucketOwnerEnforced"}


def test_what_is_in_it_is_encrypted_and_what_comes_in_the_clear_refused(recording: Recording) -> None:
    (rule,) = recording.only(":BucketServerSideEncryptionConfiguration").inputs["rules"]
    policy = recording.only(":BucketPolicy")
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]

    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    assert statement["Effect"] == "Deny"
    assert statement["Resource"] == [recording.outputs["arn"], f"{recording.outputs['arn']}/*"]
    assert policy.depends_on("rampart-iris-bucket-closed")


def test_results_end_after_the_days_asked_and_what_nobody_sees_after_ours(recording: Recording) -> None:
    lifecycle = recording.only(":BucketLifecycleConfiguration")
    results, unseen = lifecycle.inputs["rules"]

    assert (results["filter"], results["expiration"]) == ({"prefix": "results/"}, {"days": 90})
    assert unseen["filter"] == {"prefix": ""}
    assert unseen["expiration"] == {"expiredObjectDeleteMarker": True}
    assert unseen["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
    assert unseen["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    assert {results["status"], unseen["status"]} == {"Enabled"}


def test_versions_are_kept_before_rules_speak_of_them(recording: Recording) -> None:
    assert recording.only(":BucketVersioning").inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert recording.only(":BucketLifecycleConfiguration").depends_on("rampart-iris-bucket-versions")


def test_every_setting_is_of_the_one_bucket(recording: Recording) -> None:
    settings = [each for each in recording.resources() if not each.type.endswith(":Bucket")]

    assert {each.inputs["bucket"] for each in settings} == {recording.outputs["name"]}
    assert len(settings) == 6
    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []


def test_a_bucket_goes_with_its_content_unless_it_is_to_be_kept() -> None:
    assert _bucket().only("/bucket:Bucket").inputs["forceDestroy"] is True
    assert not any(each.retained for each in _bucket().resources())

    kept = _bucket(keep=True)
    assert kept.only("/bucket:Bucket").inputs["forceDestroy"] is False
    # its guards too: a bucket left behind is no less private
    assert all(each.retained for each in kept.resources())


@given(EVENTS)
def test_a_bucket_has_a_name_that_s3_takes_with_what_pulumi_appends(event: str) -> None:
    name = naming.bucket_name(event)

    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", name + "-1a2b3c4")


def test_capitals_and_underscores_of_an_event_are_not_in_its_buckets_name() -> None:
    assert _bucket(event="Iris_2026").only("/bucket:Bucket").name == "rampart-iris-2026-bucket"
