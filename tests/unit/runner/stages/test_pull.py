"""What a host sends replaces an earlier result whole or not at all."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.memory import Call, MemoryHost
from contracts.errors import CommandFailed, TransferRefused
from contracts.redaction import Redactor
from contracts.work import (
    Claimed,
    Finished,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Work,
)
from runner import commands
from runner.stages import pull

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    work = Work(7, "iris", "team", "first", 1, tmp_path, tmp_path / "logs", tmp_path / "predictions", 60.0)
    provisioned = Provisioned(Claimed(work, NOW), HostAddress("i-1", "h", "u"), HostLayout("/k", "/k", "/p", "/r"))
    return Finished(Launched(Pushed(provisioned, "/job"), NOW), JobExit(JobEnd.EXITED, 0, 1.0, 1.0, 1, 1))


def pulled(finished: Finished, files: dict[str, bytes], *, cut: int | None = None, code: int = 0) -> Pulled:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

    def send(call: Call) -> int:
        call.out(buffer.getvalue()[:cut])
        return code

    programs = dict.fromkeys(("sh", "tar"), send)
    return pull.pull(finished, MemoryHost(programs).connect(), redact=Redactor(["hunter22"]))


def output_of(finished: Finished) -> str:
    return commands.output_folder(finished.launched.pushed.provisioned.claimed.work)


def placed(finished: Finished) -> dict[str, bytes]:
    folder = finished.launched.pushed.provisioned.claimed.work.predictions_dir
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_log_comes_without_secrets(finished: Finished) -> None:
    log = pulled(finished, {"log": b"it is hunter22, or AKIA\x00ABCDEFGHIJKLMNOP"}).log_path
    assert log.read_text() == "it is ***, or ***"


@pytest.mark.parametrize(
    ("hostile", "cut", "code"),
    [({"../x": b""}, None, 0), ({}, 2000, 0), ({}, None, 2)],
    ids=["refused", "cut", "failed"],
)
def test_a_pull_that_fails_leaves_the_earlier_result(
    finished: Finished, hostile: dict[str, bytes], cut: int | None, code: int
) -> None:
    good = {f"{output_of(finished)}/fold_0/y": b"good"}
    pulled(finished, good)
    bad = {f"{output_of(finished)}/fold_0/y": b"bad" * 1000}
    with pytest.raises((TransferRefused, CommandFailed)):
        pulled(finished, bad | hostile, cut=cut, code=code)
    assert placed(finished) == {"submission_000000007/fold_0/y": b"good"}


@pytest.mark.parametrize("name", ["replaced", "received", "replaced/x", "received/x"])
def test_no_name_a_host_gives_stands_in_the_way_of_placing(finished: Finished, name: str) -> None:
    for content in (b"first", b"second"):
        pulled(finished, {f"{output_of(finished)}/fold_0/y": content, name: b"hostile"})
        assert placed(finished) == {"submission_000000007/fold_0/y": content}


def test_an_earlier_result_comes_back_where_a_new_one_cannot_be_placed(
    finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled(finished, {f"{output_of(finished)}/fold_0/y": b"good"})
    rename = Path.rename

    def fails(source: Path, target: Path) -> Path:
        if "received" in source.parts:
            raise OSError(5, "Input/output error")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="Input/output"):
        pulled(finished, {f"{output_of(finished)}/fold_0/y": b"new"})
    assert placed(finished) == {"submission_000000007/fold_0/y": b"good"}
