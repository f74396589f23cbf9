"""Objects go into a bucket of the local cloud and come back, piece by piece."""

from __future__ import annotations

import uuid

import boto3
import pytest

from clients.aws.objects import Objects
from contracts.errors import CloudError
from tests.integration.clouds import Cloud


@pytest.fixture
def objects(aws_environment: dict[str, str]) -> Objects:
    return Objects(boto3.Session(region_name=aws_environment["AWS_DEFAULT_REGION"]))


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    name = f"objects-{uuid.uuid4().hex[:8]}"
    region = cloud.environment["AWS_DEFAULT_REGION"]
    cloud.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    return name


def test_an_object_comes_back_as_it_was_stored(objects: Objects, bucket: str) -> None:
    pieces = [b"", b"one", b"x" * 3_000_000, b"end"]
    objects.put(bucket, "private/a", iter(pieces))
    with objects.get(bucket, "private/a") as content:
        assert b"".join(content) == b"".join(pieces)
    objects.put(bucket, "other/b", iter([b"b"]))
    assert list(objects.keys(bucket, "private/")) == ["private/a"]


def test_an_object_that_is_not_there_is_one_line(objects: Objects, bucket: str) -> None:
    with (
        pytest.raises(CloudError, match=f"could not read s3://{bucket}/nothing") as caught,
        objects.get(bucket, "nothing"),
    ):
        pass
    assert caught.value.code == "NoSuchKey"


def test_a_source_that_fails_stores_nothing(objects: Objects, bucket: str) -> None:
    def broken() -> object:
        yield b"half"
        raise ValueError("the host was lost")

    with pytest.raises(ValueError, match="the host was lost"):
        objects.put(bucket, "half", broken())  # type: ignore[arg-type]
    assert list(objects.keys(bucket, "half")) == []
