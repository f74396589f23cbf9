"""Of what a host sends before it goes, only whole folds are kept."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.memory import Call, MemoryHost
from contracts.errors import CommandFailed, TransferRefused
from contracts.work import (
    Claimed,
    Finished,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pushed,
    Work,
)
from runner.stages.salvage import bring_home, salvage

HONEST = Path(__file__).parents[3] / "data" / "scores" / "honest"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Sent:
    """An archive in the making, and the host that sends it."""

    def __init__(self) -> None:
        self._bytes = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._bytes, mode="w")  # noqa: SIM115 - closed by `host`
        self.exit_code = 0

    def fold(self, number: int, *, below: str = "", without: str = "", broken_off: str = "") -> None:
        """Add an honest fold, or one that lacks a file or a part of one."""
        for path in sorted((HONEST / "fold_0").iterdir()):
            content = path.read_bytes()
            if path.name != without:
                self.file(f"{below}fold_{number}/{path.name}", content[:-60] if path.name == broken_off else content)

    def file(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content))

    def link(self, name: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        self._tar.addfile(member)

    def host(self) -> MemoryHost:
        self._tar.close()

        def send(call: Call) -> int:
            call.out(self._bytes.getvalue())
            return self.exit_code

        return MemoryHost({"sh": send})


@pytest.fixture
def sent() -> Sent:
    return Sent()


def launched(tmp_path: Path, *, folds: int = 4, score_types: tuple[str, ...] = ("acc", "error", "nll")) -> Launched:
    kept = tmp_path / "salvaged"
    work = Work(
        *(7, "iris", "team", "first", 1, tmp_path, tmp_path, tmp_path, 60.0),
        folds=folds,
        score_types=score_types,
        salvage_dir=kept,
    )
    host = HostAddress("i-1", "10.0.0.1", "ubuntu")
    layout = HostLayout("/kit", "/kit", "/env/bin/python", "/env/bin/ramp-test")
    return Launched(Pushed(Provisioned(Claimed(work, NOW), host, layout), "/jobs/1"), NOW)


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "salvaged").iterdir())


def test_whole_folds_are_kept_beside_those_kept_before(sent: Sent, tmp_path: Path) -> None:
    for number in (1, 3):
        sent.fold(number)
    (tmp_path / "salvaged" / "fold_0").mkdir(parents=True)
    assert salvage(launched(tmp_path), sent.host().connect()) == (0, 1, 3)
    assert kept(tmp_path) == ["fold_0", "fold_1", "fold_3"]
    assert {path.name for path in (tmp_path / "salvaged" / "fold_3").iterdir()} == {
        *("scores.csv", "train_time", "valid_time", "test_time")
    }


def test_a_host_without_a_finished_fold_leaves_none(sent: Sent, tmp_path: Path) -> None:
    assert salvage(launched(tmp_path), sent.host().connect()) == ()
    assert kept(tmp_path) == []


def test_a_fold_that_would_not_pass_as_a_result_is_not_kept(sent: Sent, tmp_path: Path) -> None:
    sent.fold(0, without="train_time")
    sent.fold(1, broken_off="scores.csv")
    sent.fold(2)
    sent.fold(4)  # the event has four
    sent.file("fold_3", b"a file")
    assert salvage(launched(tmp_path), sent.host().connect()) == (2,)


def test_a_fold_with_other_scores_than_the_events_is_not_kept(sent: Sent, tmp_path: Path) -> None:
    sent.fold(0)
    assert salvage(launched(tmp_path, score_types=("acc", "rmse")), sent.host().connect()) == ()


def test_folds_of_a_job_without_labels_have_no_scores_yet(sent: Sent, tmp_path: Path) -> None:
    sent.fold(0, without="scores.csv")
    sent.fold(1, without="valid_time")
    run = launched(tmp_path)
    host = sent.host()
    assert salvage(replace(run, pushed=replace(run.pushed, labels="one")), host.connect()) == (0,)
    assert host.calls[0][-1] == "test_time"


def test_of_a_share_that_has_ended_its_own_folds_are_kept_and_its_log_is_given(sent: Sent, tmp_path: Path) -> None:
    run = launched(tmp_path)
    provisioned = run.pushed.provisioned
    work = replace(provisioned.claimed.work, share=(1, 3))
    share = replace(run, pushed=replace(run.pushed, provisioned=replace(provisioned, claimed=Claimed(work, NOW))))
    sent.file("log", b"what it printed\n")
    for number, without in ((0, ""), (1, ""), (3, "scores.csv")):
        sent.fold(number, below="submissions/submission_000000007/training_output/", without=without)
    ended = Finished(share, JobExit(JobEnd.EXITED, 0, 1.0, 1.0, 1, 0))
    assert bring_home(ended, sent.host().connect()) == b"what it printed\n"
    assert kept(tmp_path) == ["fold_1"]


def test_of_a_transfer_that_is_refused_or_broken_off_nothing_is_kept(sent: Sent, tmp_path: Path) -> None:
    sent.fold(0)
    sent.link("fold_1/scores.csv")
    with pytest.raises(TransferRefused):
        salvage(launched(tmp_path), sent.host().connect())
    failing = Sent()
    failing.fold(0)
    failing.exit_code = 2
    with pytest.raises(CommandFailed):
        salvage(launched(tmp_path), failing.host().connect())
    assert kept(tmp_path) == []


def test_a_run_whose_folds_nobody_keeps_is_not_asked(sent: Sent, tmp_path: Path) -> None:
    run = launched(tmp_path)
    provisioned = run.pushed.provisioned
    work = replace(provisioned.claimed.work, salvage_dir=None)
    unkept = replace(run, pushed=replace(run.pushed, provisioned=replace(provisioned, claimed=Claimed(work, NOW))))
    host = sent.host()
    assert salvage(unkept, host.connect()) == ()
    assert host.calls == []
