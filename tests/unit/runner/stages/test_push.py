"""A submission is looked at before a byte of it is sent."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.memory import Call, MemoryHost
from contracts.errors import AskedWrongly, CommandFailed, HostUnreachable, SubmissionInvalid
from contracts.work import Blame, Claimed, HostAddress, HostLayout, Provisioned, Pushed, Work
from runner.judging.faults import failed_by
from runner.scoring.bundle import Bundle
from runner.stages import push, tar_writer

KEY = "submissions/submission_000000007"
JOB = "/home/ubuntu/.rampart/jobs/iris-7-1"


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "classifier.py").write_text("class Classifier: ...\n")
    return folder


def provisioned(submission: Path) -> Provisioned:
    work = Work(7, "iris", "team", "first", 1, submission, submission.parent, submission.parent, 60.0)
    layout = HostLayout("/kit", "/kit", "/env/bin/python", "/env/bin/ramp-test")
    return Provisioned(
        Claimed(work, datetime(2026, 1, 1, tzinfo=UTC)), HostAddress("i-1", "10.0.0.1", "ubuntu"), layout
    )


def planned(submission: Path) -> list[str]:
    return sent(provisioned(submission).claimed.work)


def sent(work: Work, bundle: Bundle | None = None) -> list[str]:
    """The names of what is sent, of the supervisor its folder alone."""
    names = [entry.name for entry in push.push_plan(work, bundle)]
    return list(dict.fromkeys("supervise" if name.startswith("supervise/") else name for name in names))


def test_the_plan_is_the_supervisor_then_every_file_in_order(submission: Path) -> None:
    (submission / "lib" / "deep").mkdir(parents=True)
    (submission / "lib" / "deep" / "b.py").touch()
    (submission / "lib" / "a.py").touch()
    assert planned(submission) == [
        "supervise",
        f"{KEY}/classifier.py",
        f"{KEY}/lib/a.py",
        f"{KEY}/lib/deep/b.py",
    ]


def test_results_of_an_earlier_run_stay_here(submission: Path) -> None:
    for name in ("training_output/fold_0", "__pycache__"):
        (submission / name).mkdir(parents=True)
        (submission / name / "scores.csv").touch()
    assert planned(submission) == ["supervise", f"{KEY}/classifier.py"]


def test_folds_that_need_not_be_run_again_are_sent_with_the_script_that_runs_the_rest(submission: Path) -> None:
    kept = submission.parent / "kept"
    for name in ("fold_0/scores.csv", "fold_2/scores.csv", "fold_3/scores.csv"):
        (kept / name).parent.mkdir(parents=True)
        (kept / name).touch()
    work = replace(provisioned(submission).claimed.work, salvage_dir=kept, salvaged=(0, 1, 3))
    assert sent(work) == [
        *("supervise", f"{KEY}/classifier.py", "run_folds.py"),
        *("finished/fold_0/scores.csv", "finished/fold_3/scores.csv"),
    ]


def test_a_share_of_the_folds_is_sent_with_the_script_that_runs_no_others(submission: Path) -> None:
    work = replace(provisioned(submission).claimed.work, share=(1, 3))
    assert sent(work) == ["supervise", f"{KEY}/classifier.py", "run_folds.py"]


def test_a_job_without_labels_is_sent_its_bundle_with_the_script_that_trains_on_it(
    submission: Path, tmp_path: Path
) -> None:
    folder, kept = tmp_path / "bundle", tmp_path / "kept"
    for path in (folder / "kit" / "problem.py", folder / "blind" / "bundle", kept / "fold_0" / "test_time"):
        path.parent.mkdir(parents=True)
        path.touch()
    work = provisioned(submission).claimed.work
    blind = ["supervise", f"{KEY}/classifier.py", "run_blind.py", "blind/bundle", "kit/problem.py"]
    assert sent(work, Bundle("one", folder)) == blind
    rest = replace(work, salvage_dir=kept, salvaged=(0,))
    assert sent(rest, Bundle("one", folder)) == [*blind, "finished/fold_0/test_time"]


@pytest.mark.parametrize("target", ["/etc/passwd", "classifier.py", "nowhere", "/etc"])
def test_a_link_is_refused(submission: Path, target: str) -> None:
    (submission / "data.csv").symlink_to(target)
    with pytest.raises(SubmissionInvalid, match=r"'data.csv' in submission first is not a regular file"):
        planned(submission)


def test_a_missing_folder_is_told_and_is_not_the_participants_fault(tmp_path: Path) -> None:
    with pytest.raises(AskedWrongly, match="cannot be read") as caught:
        planned(tmp_path / "none")
    work = provisioned(tmp_path / "none").claimed.work
    assert failed_by(caught.value, work).blame is Blame.ORGANISER


def test_an_empty_submission_is_refused(submission: Path) -> None:
    (submission / "classifier.py").unlink()
    with pytest.raises(SubmissionInvalid, match="has no file"):
        planned(submission)


def test_a_file_name_with_a_line_end_is_refused(submission: Path) -> None:
    (submission / "a\nb.py").touch()
    with pytest.raises(SubmissionInvalid, match="has a file named"):
        planned(submission)


def test_too_many_files_are_refused(submission: Path) -> None:
    for number in range(push.MAX_FILES):
        (submission / f"{number}.py").touch()
    with pytest.raises(SubmissionInvalid, match="too large"):
        planned(submission)


def test_too_many_bytes_are_refused(submission: Path) -> None:
    with (submission / "weights.bin").open("wb") as file:
        file.truncate(push.MAX_BYTES)
    with pytest.raises(SubmissionInvalid, match="too large"):
        planned(submission)


def test_the_stream_is_a_tar_of_the_plan(submission: Path) -> None:
    (submission / ("ä" * 100)).write_bytes(bytes(1000))
    plan = push.push_plan(provisioned(submission).claimed.work)
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_writer.stream(plan)))) as tar:
        assert [(member.name, member.size) for member in tar] == [(entry.name, entry.size_bytes) for entry in plan]
        assert {(member.uid, member.uname, member.mtime, member.mode) for member in tar} == {(0, "", 0, 0o600)}


def test_a_file_that_shrinks_while_it_is_sent_is_told(submission: Path) -> None:
    plan = push.push_plan(provisioned(submission).claimed.work)
    (submission / "classifier.py").write_text("")
    with pytest.raises(SubmissionInvalid, match="became shorter"):
        list(tar_writer.stream(plan))


@pytest.mark.parametrize("change", [Path.unlink, lambda path: (path.unlink(), path.symlink_to("/etc/passwd"))])
def test_a_file_that_goes_or_becomes_a_link_before_it_is_sent_is_told(
    submission: Path, change: Callable[[Path], object]
) -> None:
    plan = push.push_plan(provisioned(submission).claimed.work)
    change(submission / "classifier.py")
    with pytest.raises(SubmissionInvalid, match="cannot be read"):
        list(tar_writer.stream(plan))


def test_a_pushed_run_knows_its_absolute_folder(submission: Path) -> None:
    received: list[bytes] = []

    def unpack(call: Call) -> int:
        received.extend(call.stdin)
        call.out(f"{JOB}\n".encode())
        return 0

    run = provisioned(submission)
    assert push.push(run, MemoryHost({"sh": unpack}).connect()) == Pushed(run, JOB)
    assert b"class Classifier" in b"".join(received)
    bundle = Bundle("one", submission.parent / "bundle")
    bundle.folder.mkdir()
    pushed = push.push(run, MemoryHost({"sh": unpack}).connect(), bundle=bundle)
    assert (pushed.is_blind, pushed.labels) == (True, "one")


@pytest.mark.parametrize(
    ("code", "said", "error", "match"),
    [
        (75, b"", CommandFailed, "is on i-1 already"),
        (2, b"tar: no space left", CommandFailed, "no space left"),
        (-1, b"", HostUnreachable, "broke off"),
        (0, b"", CommandFailed, "could not be unpacked"),
    ],
)
def test_a_push_that_fails_says_why(
    submission: Path, code: int, said: bytes, error: type[Exception], match: str
) -> None:
    def unpack(call: Call) -> int:
        call.err(said)
        return code

    with pytest.raises(error, match=match):
        push.push(provisioned(submission), MemoryHost({"sh": unpack}).connect())
