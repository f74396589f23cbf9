"""A machine to run documents on: a folder of this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients.local import LocalTransport
from contracts.errors import CloudError
from imagebuilder import documents
from imagebuilder.documents import Document
from imagebuilder.running import Execution, Failure, Machine

Steps = Callable[[str], str]


class MemoryObjects:
    """S3 as a table; all its buckets belong to the account 123456789012."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], bytes] = {}

    @contextmanager
    def get(self, bucket: str, key: str, *, owner: str = "") -> Iterator[Iterable[bytes]]:
        self._refuse_stranger(owner)
        if (bucket, key) not in self.table:
            raise CloudError(f"no object {key}", code="NoSuchKey")
        content = self.table[bucket, key]
        yield (content[start : start + 1000] for start in range(0, len(content), 1000))

    def put(self, bucket: str, key: str, chunks: Iterable[bytes], *, owner: str = "") -> None:
        self._refuse_stranger(owner)
        self.table[bucket, key] = b"".join(chunks)

    def keys(self, bucket: str, prefix: str, *, owner: str = "") -> Iterable[str]:
        self._refuse_stranger(owner)
        return sorted(key for name, key in self.table if name == bucket and key.startswith(prefix))

    def _refuse_stranger(self, owner: str) -> None:
        if owner not in ("", "123456789012"):
            raise CloudError("the bucket belongs to another account", code="AccessDenied")


class Bench:
    """Runs documents in a folder; `log` holds what a build's log would."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.log: list[str] = []
        self.objects = MemoryObjects()
        self.others: dict[str, Document] = {}
        self.machine = Machine(LocalTransport(home), restart=lambda: LocalTransport(home))

    def run(self, source: str, *phases: str, **values: str) -> Failure | None:
        """Run a document's phases; gives the first failure. A document without phases is the steps of `build`."""
        if "schemaVersion" not in source:
            source = f"schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{source}"
        execution = Execution(
            "component",
            documents.parse(source, Path("document.yml")),
            self.machine,
            values=values,
            log=self.log.append,
            objects=self.objects,
            others=self.others,
        )
        failures = (execution.run(phase) for phase in phases or ("build",))
        return next((failure for failure in failures if failure is not None), None)

    def do(self, action: str, *entries: Mapping[str, object]) -> Failure | None:
        """Do one action on entries, whose values may be of any kind YAML knows."""
        return self.run(f"      - {{name: Do, action: {action}, inputs: {list(map(dict, entries))}}}\n")

    @property
    def printed(self) -> list[str]:
        """What the documents printed."""
        return [line.removeprefix("Stdout: ") for line in self.log if line.startswith("Stdout: ")]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A machine with a home, and a folder for temporary files of its own."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    made = Bench(home)
    with made.machine:
        yield made
