"""Documents over SSH take what they ask for out of the bucket, from this side: the machine has no credentials."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import boto3

from clients.aws.objects import Objects
from clients.local import LocalTransport
from contracts.instance import Instance
from imagebuilder.bake.documents import OverSsh
from imagebuilder.catalogue import Component
from imagebuilder.ports import Rented, Transport
from tests.integration.clouds import Cloud

DOWNLOADS = """schemaVersion: 1.0
parameters:
  - Bucket: {type: string}
  - Home: {type: string}
phases:
  - name: build
    steps:
      - name: One
        action: S3Download
        inputs: [{source: 's3://{{ Bucket }}/kits/kit.bin', destination: '{{ Home }}/kit'}]
      - name: All
        action: S3Download
        inputs: [{source: 's3://{{ Bucket }}/data/*', destination: '{{ Home }}/data/'}]
"""


class _NoOthers:
    """There is no other machine than the one given."""

    def rented(
        self, image_id: str, *, instance_type: str, purpose: str, lifetime_s: float, profile: str = ""
    ) -> AbstractContextManager[Rented]:
        raise NotImplementedError

    def reconnected(self, rented: Rented, *, has_restarted: Callable[[Transport], bool]) -> Rented:
        raise NotImplementedError


def test_an_object_and_all_below_a_prefix_come_from_the_cloud(
    cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path
) -> None:
    s3, bucket, big = cloud.client("s3"), f"downloads-{uuid.uuid4().hex[:8]}", bytes(range(256)) * 5_000
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    for key, content in {"kits/kit.bin": big, "data/": b"", "data/a b.csv": b"a", "data/deep/c": b"c"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    (tmp_path / "data").mkdir()
    here = Instance("i-1", "running", "127.0.0.1", "ami-1", "t3.small", datetime.now(UTC))
    rented = Rented(here, "", LocalTransport(tmp_path), 0.0)
    objects = Objects(boto3.Session(region_name=aws_environment["AWS_DEFAULT_REGION"]))
    component = Component("own", "1.0.1", DOWNLOADS, {"Bucket": bucket, "Home": str(tmp_path)}, "")
    OverSsh(_NoOthers(), objects)(rented, [component], ("build",), log=lambda _: None, timeout_s=60)
    found = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"kit": big, "data/a b.csv": b"a", "data/deep/c": b"c"}
