"""Builds reach the local cloud's S3 and run components inside components."""

from __future__ import annotations

from tests.integration.localcloud.imagebuilder.builders import Builder, document

STEPS = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Folder
        action: ExecuteBash
        inputs: {{commands: ['mkdir -p {{{{ Home }}}}/data']}}
      - name: Download
        action: S3Download
        inputs:
          - {{source: 's3://{bucket}/in/*', destination: '{{{{ Home }}}}/data/', expectedBucketOwner: {owner}}}
      - name: Inner
        action: ExecuteDocument
        inputs: {{document: '{arn}', phases: build}}
      - name: Upload
        action: S3Upload
        inputs:
          - {{source: '{{{{ Home }}}}/data', destination: 's3://{bucket}/out/', recurse: true}}
parameters:
  - Home: {{type: string, default: /home/ubuntu}}
"""


def test_a_build_takes_folders_out_of_s3_and_puts_folders_into_it(builder: Builder) -> None:
    s3, bucket = builder.cloud.client("s3"), "transfers"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    content = {"in/a b.bin": bytes(range(256)) * 3_000, "in/deep/c.txt": b"c"}
    for key, body in content.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    arn = builder.component(document(build="echo inside"))
    image = builder.build(STEPS.format(bucket=bucket, arn=arn, owner=arn.split(":")[4]))
    assert image.ended()["state"] == {"status": "AVAILABLE"}
    assert "Stdout: inside" in image.log()
    uploaded = {found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix="out/")["Contents"]}
    assert uploaded == {"out/a b.bin", "out/deep/c.txt"}
    assert s3.get_object(Bucket=bucket, Key="out/a b.bin")["Body"].read() == content["in/a b.bin"]


def test_a_bucket_of_another_account_is_not_read(builder: Builder) -> None:
    image = builder.build(STEPS.format(bucket="anybody", arn="arn:aws:none", owner="'210987654321'"))
    assert "does not belong to the account 210987654321" in image.ended()["state"]["reason"]
