"""What the actions of a document need besides the machine, in the verbs they use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from imagebuilder.documents import Document

Documents: TypeAlias = Mapping[str, Document]
"""Documents that others may run by name, whatever name ExecuteDocument gives: a path, an S3 URI, an ARN."""


class ObjectStore(Protocol):
    """S3, asked from this side. Every verb may raise CloudError.

    `owner` is the account that must own the bucket, "" for any.
    """

    def get(self, bucket: str, key: str, *, owner: str = "") -> AbstractContextManager[Iterable[bytes]]:
        """Open an object and give its content piece by piece."""
        ...

    def put(self, bucket: str, key: str, chunks: Iterable[bytes], *, owner: str = "") -> None:
        """Store an object; what `chunks` raises is raised, and then nothing is stored."""
        ...

    def keys(self, bucket: str, prefix: str, *, owner: str = "") -> Iterable[str]:
        """Give the keys of all objects below a prefix."""
        ...
