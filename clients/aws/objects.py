"""Read and write objects in S3 piece by piece."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from clients.aws.session import client_of, translated

_CHUNK_BYTES = 1024 * 1024


class Objects:
    """The buckets that the session's credentials reach. `owner` is the account that must own one, "" for any."""

    def __init__(self, session: Any) -> None:
        self._client = client_of(session, "s3")

    @contextmanager
    def get(self, bucket: str, key: str, *, owner: str = "") -> Iterator[Iterable[bytes]]:
        """Open an object and give its content piece by piece. Raises CloudError."""
        doing = f"read s3://{bucket}/{key}"
        with translated(doing):
            body = self._client.get_object(Bucket=bucket, Key=key, **_expected(owner))["Body"]
        try:
            yield _pieces(body, doing)
        finally:
            body.close()

    def put(self, bucket: str, key: str, chunks: Iterable[bytes], *, owner: str = "") -> None:
        """Store an object, encrypted; what `chunks` raises is raised, and then nothing is stored. Raises CloudError."""
        extra = {"ServerSideEncryption": "AES256", **_expected(owner)}
        with translated(f"write s3://{bucket}/{key}"):
            self._client.upload_fileobj(io.BufferedReader(_Chunks(chunks)), bucket, key, ExtraArgs=extra)

    def keys(self, bucket: str, prefix: str, *, owner: str = "") -> Iterator[str]:
        """Give the keys of all objects below a prefix. Raises CloudError."""
        with translated(f"list s3://{bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, **_expected(owner)
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    yield str(found["Key"])


class _Chunks(io.RawIOBase):
    """Chunks as a file that boto3 reads: parts of a large object are uploaded as they come."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._chunks, None)
            if piece is None:
                return 0
            self._rest = piece
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def _expected(owner: str) -> dict[str, str]:
    return {"ExpectedBucketOwner": owner} if owner else {}


def _pieces(body: Any, doing: str) -> Iterator[bytes]:
    with translated(doing):
        yield from body.iter_chunks(_CHUNK_BYTES)
