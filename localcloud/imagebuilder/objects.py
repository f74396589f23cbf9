"""Read, list and write the objects of the local cloud's S3 for a build's steps."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.imagebuilder import arns
from localcloud.imagebuilder.acting import ActionFailed
from localcloud.imagebuilder.clients import Clients


class S3Objects:
    """Objects of every bucket there is; all buckets belong to the local cloud's one account."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def read(self, uri: str, owner: str = "") -> bytes:
        """Read an object."""
        bucket, key = _place(uri, owner)
        try:
            content: Any = self._clients.of("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise ActionFailed(f"{uri} cannot be read: {error}") from error
        return bytes(content)

    def below(self, prefix: str, owner: str = "") -> list[str]:
        """List the objects whose URI begins with the prefix."""
        bucket, start = _place(prefix, owner)
        pages = self._clients.of("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
        try:
            return [f"s3://{bucket}/{found['Key']}" for page in pages for found in page.get("Contents", ())]
        except (BotoCoreError, ClientError) as error:
            raise ActionFailed(f"{prefix} cannot be listed: {error}") from error

    def write(self, uri: str, content: bytes, owner: str = "") -> None:
        """Make or replace an object."""
        bucket, key = _place(uri, owner)
        try:
            self._clients.of("s3").put_object(Bucket=bucket, Key=key, Body=content)
        except (BotoCoreError, ClientError) as error:
            raise ActionFailed(f"{uri} cannot be written: {error}") from error


def _place(uri: str, owner: str) -> tuple[str, str]:
    if not uri.startswith("s3://"):
        raise ActionFailed(f"{uri} does not begin with s3://")
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if owner not in ("", arns.ACCOUNT):
        raise ActionFailed(f"the bucket {bucket} does not belong to the account {owner}")
    return bucket, key
