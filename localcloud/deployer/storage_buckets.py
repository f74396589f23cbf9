"""Make S3's buckets, their settings, objects."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from localcloud.deployer.handler import Created, Handler, Made, Wanted, or_undone
from localcloud.deployer.shapes import chosen, pascal, tag_list


def _create_bucket(wanted: Wanted) -> Created:
    s3, name = wanted.client("s3"), wanted.inputs["bucket"]
    place = {} if wanted.region == "us-east-1" else {"LocationConstraint": wanted.region}
    s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
    with or_undone(lambda: s3.delete_bucket(Bucket=name)):
        if tags := wanted.inputs.get("tags"):
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})
    names = {
        "arn": f"arn:{'aws-cn' if wanted.region.startswith('cn-') else 'aws'}:s3:::{name}",
        "bucketDomainName": f"{name}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{name}.s3.{wanted.region}.amazonaws.com",
        "region": wanted.region,
    }
    return Created(name, names)


def _delete_bucket(made: Made) -> None:
    s3 = made.client("s3")
    if made.inputs.get("forceDestroy"):
        _empty(s3, made.id)
    s3.delete_bucket(Bucket=made.id)


def _empty(s3: Any, bucket: str) -> None:
    """Delete every version of every object with every marker of a deletion."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        gone = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
        if gone:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": gone, "Quiet": True})


def _put_object(wanted: Wanted) -> Created:
    inputs = wanted.inputs
    bucket, key = inputs["bucket"], inputs["key"]
    answer = wanted.client("s3").put_object(
        Bucket=bucket,
        Key=key,
        Body=base64.b64decode(inputs["contentBase64"]) if "contentBase64" in inputs else inputs["content"].encode(),
        Tagging=urlencode(inputs.get("tags", {})),
        **chosen(inputs, "contentType", "serverSideEncryption"),
    )
    outputs = {"etag": answer["ETag"].strip('"'), "versionId": answer.get("VersionId", "")}
    return Created(f"{bucket}/{key}", outputs)


def _delete_object(made: Made) -> None:
    """Delete every version of it, as Pulumi's provider does."""
    s3, bucket, key = made.client("s3"), made.inputs["bucket"], made.inputs["key"]
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            if each["Key"] == key:
                s3.delete_object(Bucket=bucket, Key=key, VersionId=each["VersionId"])


def _setting(name: str, arguments: Callable[[dict[str, Any]], dict[str, Any]], *, delete: str | None = None) -> Handler:
    """Handle what a bucket has one of: `put_<name>`, `get_<name>`, and how to take it back where that is possible."""

    def create(wanted: Wanted) -> Created:
        bucket = wanted.inputs["bucket"]
        getattr(wanted.client("s3"), f"put_{name}")(Bucket=bucket, **arguments(dict(wanted.inputs)))
        return Created(bucket, {})

    return Handler(
        create,
        lambda made: getattr(made.client("s3"), f"get_{name}")(Bucket=made.id),
        lambda made: getattr(made.client("s3"), delete)(Bucket=made.id) if delete else None,
        joins=True,
    )


def _public_access(inputs: dict[str, Any]) -> dict[str, Any]:
    names = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    return {"PublicAccessBlockConfiguration": chosen(inputs, *names)}


HANDLERS = {
    "aws:s3/bucket:Bucket": Handler(
        _create_bucket,
        lambda made: made.client("s3").head_bucket(Bucket=made.id),
        _delete_bucket,
        name_input="bucket",
    ),
    "aws:s3/bucketObjectv2:BucketObjectv2": Handler(
        _put_object,
        lambda made: made.client("s3").head_object(Bucket=made.inputs["bucket"], Key=made.inputs["key"]),
        _delete_object,
        joins=True,
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _setting(
        "public_access_block", _public_access, delete="delete_public_access_block"
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _setting(
        "bucket_ownership_controls",
        lambda inputs: {"OwnershipControls": {"Rules": [pascal(inputs["rule"])]}},
        delete="delete_bucket_ownership_controls",
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _setting(
        "bucket_encryption",
        lambda inputs: {"ServerSideEncryptionConfiguration": {"Rules": pascal(inputs["rules"])}},
        delete="delete_bucket_encryption",
    ),
    # versions stay once there are any: it can be suspended, not taken back
    "aws:s3/bucketVersioning:BucketVersioning": _setting(
        "bucket_versioning",
        lambda inputs: {"VersioningConfiguration": chosen(inputs["versioningConfiguration"], "status")},
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _setting(
        "bucket_lifecycle_configuration",
        lambda inputs: {"LifecycleConfiguration": {"Rules": pascal(inputs["rules"])}},
        delete="delete_bucket_lifecycle",
    ),
    "aws:s3/bucketPolicy:BucketPolicy": _setting(
        "bucket_policy", lambda inputs: {"Policy": inputs["policy"]}, delete="delete_bucket_policy"
    ),
}
