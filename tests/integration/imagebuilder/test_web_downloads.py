"""WebDownload fetches over HTTP what its entries ask for, and nothing else stays."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from clients.local import LocalTransport
from imagebuilder import documents
from imagebuilder.running import Execution, Failure, Machine

CONTENT = b"what the web has"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of one file, `it.bin`."""
    folder = tmp_path_factory.mktemp("web")
    (folder / "it.bin").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fetch(home: Path, **entry: object) -> tuple[Failure | None, list[str]]:
    """Run one WebDownload and echo where it put the file."""
    source = f"""schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {{name: Fetch, action: WebDownload, inputs: [{entry}]}}
      - {{name: Tell, action: ExecuteBash, inputs: {{commands: ['echo {{{{ build.Fetch.outputs.destination }}}}']}}}}
"""
    log: list[str] = []
    with Machine(LocalTransport(home)) as machine:
        document = documents.parse(source, Path("document.yml"))
        failure = Execution("part", document, machine, values={}, log=log.append).run("build")
    return failure, [line for line in log if line.startswith("Std")]


def test_a_file_is_fetched_into_a_folder_under_its_own_name(web: str, tmp_path: Path) -> None:
    failure, said = fetch(tmp_path, source=f"{web}/it.bin?x=1", destination=f"{tmp_path}/deep/", overwrite=False)
    assert (failure, said) == (None, [f"Stdout: {tmp_path}/deep/it.bin"])
    assert (tmp_path / "deep" / "it.bin").read_bytes() == CONTENT


def test_a_checksum_is_proved_before_the_file_is_in_its_place(web: str, tmp_path: Path) -> None:
    (tmp_path / "it").write_text("old")
    wrong = {"checksum": "0" * 64, "algorithm": "SHA256"}
    failure, said = fetch(tmp_path, source=f"{web}/it.bin", destination=f"{tmp_path}/it", **wrong)
    assert failure is not None
    assert said == [f"Stderr: the checksum of {web}/it.bin differs"]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"it": "old"}
    right = {"checksum": SHA256.upper(), "algorithm": "SHA-256"}
    assert fetch(tmp_path, source=f"{web}/it.bin", destination=f"{tmp_path}/it", **right)[0] is None
    assert (tmp_path / "it").read_bytes() == CONTENT


def test_what_has_the_checksum_already_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(CONTENT)
    right = {"checksum": SHA256, "algorithm": "sha256"}
    assert fetch(tmp_path, source="http://127.0.0.1:9/it", destination=f"{tmp_path}/it", **right)[0] is None


def test_what_the_web_does_not_have_fails_with_its_reason(web: str, tmp_path: Path) -> None:
    failure, said = fetch(tmp_path, source=f"{web}/none", destination=f"{tmp_path}/it")
    assert failure is not None
    assert "404" in said[-1]
    assert list(tmp_path.iterdir()) == []
