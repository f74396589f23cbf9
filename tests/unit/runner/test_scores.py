"""Scores are read from what ramp-test writes, and nothing that only looks like it is taken."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import KitChanged
from contracts.work import (
    Blame,
    Cause,
    Claimed,
    Failed,
    Finished,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Scored,
    Work,
)
from runner.scoring.bundle import Bundle
from runner.stages.scores import score

CASES = Path(__file__).parents[2] / "data" / "scores"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
NOWHERE = Path("/nowhere")


def pulled(
    output: Path | None,
    log: Path,
    *,
    code: int = 0,
    end: JobEnd = JobEnd.EXITED,
    folds: int = 2,
    labels: str = "",
) -> Pulled:
    work = Work(
        7, "iris", "red", "one", 1, NOWHERE, NOWHERE, NOWHERE, 60, folds=folds, score_types=("acc", "error", "nll")
    )
    host = HostAddress("this-machine", "127.0.0.1", "me")
    provisioned = Provisioned(Claimed(work, NOW), host, HostLayout("/kit", "/kit", "/python", "/ramp-test"))
    launched = Launched(Pushed(provisioned, "/job", labels=labels), NOW)
    return Pulled(Finished(launched, JobExit(end, code, 1.0, 1.0, 2**20, 10)), log, output)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CASES / "honest", tmp_path / "training_output"))


def failure(output: Path, tmp_path: Path) -> Failed:
    found = score(pulled(output, tmp_path / "log"))
    assert isinstance(found, Failed)
    return found


def test_what_ramp_test_wrote_is_read(output: Path, tmp_path: Path) -> None:
    found = score(pulled(output, tmp_path / "log"))
    assert isinstance(found, Scored)
    first = found.folds[0]
    assert [fold.fold for fold in found.folds] == [0, 1]
    assert first.scores["train"] == {
        "acc": 0.9866666666666667,
        "error": 0.013333333333333308,
        "nll": 0.07001487061220257,
    }
    assert first.scores.keys() == {"train", "valid", "test"}
    assert first.train_time_s == float((output / "fold_0" / "train_time").read_text())
    assert found.bagged.scores["valid"]["acc"] == [0.96, 0.9782608695652174]
    assert found.bagged.scores["test"]["nll"] == [0.11979559266370185, 0.12975349846174902]


def test_a_kit_without_test_labels_has_train_and_valid_scores(tmp_path: Path) -> None:
    found = score(pulled(CASES / "no_test_labels", tmp_path / "log"))
    assert isinstance(found, Scored)
    assert found.folds[1].scores.keys() == {"train", "valid"}
    assert found.folds[1].test_time_s == 0.0
    assert found.bagged.scores.keys() == {"valid"}


def test_folds_are_counted_where_the_event_does_not_say_how_many(output: Path, tmp_path: Path) -> None:
    found = score(pulled(output, tmp_path / "log", folds=0))
    assert isinstance(found, Scored)
    assert len(found.folds) == 2


def changed(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(output: Path) -> None:
        text = (output / name).read_text()
        assert old in text
        (output / name).write_text(text.replace(old, new, 1))

    return change


def written(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda output: (output / name).write_bytes(data)


def linked(output: Path) -> None:
    (output / "fold_0" / "train_time").unlink()
    (output / "fold_0" / "train_time").symlink_to("/etc/hostname")


def file_as_fold(output: Path) -> None:
    shutil.rmtree(output / "fold_1")
    (output / "fold_1").write_text("no folder")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda output: shutil.rmtree(output / "fold_1"), "fold_1 is missing"),
        (lambda output: shutil.rmtree(output / "fold_0"), "fold_0 is missing"),
        (lambda output: shutil.copytree(output / "fold_1", output / "fold_2"), "there are more than 2 folds"),
        (lambda output: (output / "fold_0/scores.csv").unlink(), "fold_0/scores.csv is missing"),
        (lambda output: (output / "fold_1/valid_time").unlink(), "fold_1/valid_time is missing"),
        (lambda output: (output / "bagged_scores.csv").unlink(), "bagged_scores.csv is missing"),
        (linked, "fold_0/train_time is not a file"),
        (file_as_fold, "fold_1 is not a folder"),
        (written("fold_0/scores.csv", b""), "fold_0/scores.csv is empty"),
        (written("fold_0/scores.csv", b"\n\n"), "fold_0/scores.csv is empty"),
        (written("fold_0/scores.csv", b"step,acc\xff"), "fold_0/scores.csv is not UTF-8 text"),
        (written("fold_0/scores.csv", b"x" * 2_000_000), "fold_0/scores.csv is larger than 1048576 bytes"),
        (written("fold_0/scores.csv", b'step,"acc"x,time\n'), "fold_0/scores.csv is no CSV file"),
        (written("fold_0/scores.csv", b"step,acc,acc,time\n"), "fold_0/scores.csv is no table"),
        (written("fold_0/scores.csv", b"step,acc,time\ntrain,1\n"), "fold_0/scores.csv is no table"),
        (written("fold_0/scores.csv", b"a,b\n"), "the columns of fold_0/scores.csv are not step"),
        (changed("fold_0/scores.csv", "valid", "train"), "the rows of fold_0/scores.csv are not train, valid and test"),
        (changed("fold_0/scores.csv", "0.96", "nan"), "'acc' in fold_0/scores.csv is nan, not a finite number"),
        (changed("fold_0/scores.csv", "0.96", "-inf"), "'acc' in fold_0/scores.csv is -inf, not a finite number"),
        (changed("fold_0/scores.csv", "0.96", "good"), "'acc' in fold_0/scores.csv is no number"),
        (changed("fold_1/scores.csv", "nll", "luck"), "fold_1 has other scores than fold_0"),
        (changed("fold_0/train_time", "0.", "-0."), "fold_0/train_time is negative"),
        (written("fold_0/train_time", b"1" * 100), "fold_0/train_time is larger than 64 bytes"),
        (changed("bagged_scores.csv", "n_bag", "bag"), "the columns of bagged_scores.csv are not"),
        (changed("bagged_scores.csv", "acc", "luck"), "the columns of bagged_scores.csv are not"),
        (changed("bagged_scores.csv", "valid,1", "valid,2"), "the rows of bagged_scores.csv are not valid and test"),
        (changed("bagged_scores.csv", "0.94", "1e999"), "'acc' in bagged_scores.csv is inf, not a finite number"),
    ],
)
def test_damaged_output_is_the_participants_failure(
    damage: Callable[[Path], object], reason: str, output: Path, tmp_path: Path
) -> None:
    damage(output)
    failed = failure(output, tmp_path)
    assert (failed.blame, failed.cause) == (Blame.PARTICIPANT, Cause.BAD_OUTPUT)
    assert failed.message.startswith("the run ended well but its scores cannot be used: ")
    assert reason in failed.message


def test_scores_of_other_score_types_than_the_events_are_refused(output: Path, tmp_path: Path) -> None:
    for name in ("fold_0/scores.csv", "fold_1/scores.csv", "bagged_scores.csv"):
        changed(name, "nll", "luck")(output)
    failed = failure(output, tmp_path)
    assert failed.message.endswith("the scores are acc, error, luck, those of the event acc, error, nll")


def test_a_hostile_column_name_makes_no_long_message(output: Path, tmp_path: Path) -> None:
    changed("fold_0/scores.csv", "acc", "a" * 100_000)(output)
    changed("fold_0/scores.csv", "0.96", "nan")(output)
    assert len(failure(output, tmp_path).message) < 600


def test_a_run_that_ended_well_without_output_left_no_scores(tmp_path: Path) -> None:
    found = score(pulled(None, tmp_path / "log"))
    assert isinstance(found, Failed)
    assert (found.cause, found.message) == (Cause.BAD_OUTPUT, "the run ended well but left no scores")


def test_scores_of_a_job_that_failed_are_not_taken(output: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text((CASES / "logs" / "raises.log").read_text())
    found = score(pulled(output, tmp_path / "log", code=1))
    assert isinstance(found, Failed)
    assert found.cause is Cause.RAISED
    assert found.traceback.startswith("Traceback")
    assert found.exit is not None


def test_a_log_with_undecodable_bytes_is_read(output: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\0CV fold 0\nTraceback (most recent call last):\nOSError: \xfe")
    found = score(pulled(output, tmp_path / "log", code=1))
    assert isinstance(found, Failed)
    assert found.message == "the submission raised OSError: \ufffd"


def test_of_a_huge_log_both_ends_are_read(output: Path, tmp_path: Path) -> None:
    middle = b"x" * 79 + b"\n"
    (tmp_path / "log").write_bytes(
        b"CV fold 0\n" + middle * 300_000 + b"Traceback (most recent call last):\nOSError: end"
    )
    found = score(pulled(output, tmp_path / "log", code=1))
    assert isinstance(found, Failed)
    assert found.message == "the submission raised OSError: end"


def test_a_fold_title_in_the_log_shows_that_the_submission_had_its_turn(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("CV fold 0\n")
    found = score(pulled(None, tmp_path / "log", code=2))
    assert isinstance(found, Failed)
    assert found.blame is Blame.PARTICIPANT


class Scores:
    """Scores every run alike, or refuses it, and notes what it was asked with."""

    def __init__(self, refused: str = "") -> None:
        self.refused = refused
        self.asked: list[tuple[str, Sequence[Sequence[float]]]] = []
        self.seen: set[str] = set()

    def bundle(self) -> Bundle | None:
        raise AssertionError("nothing is pushed here")

    def score(self, output_dir: Path, labels: str, times: Sequence[Sequence[float]]) -> str:
        self.asked.append((labels, times))
        self.seen = {str(path.relative_to(output_dir)) for path in output_dir.rglob("*") if path.is_file()}
        if not self.refused:
            for name in ("bagged_scores.csv", "fold_0/scores.csv", "fold_1/scores.csv"):
                shutil.copy(CASES / "honest" / name, output_dir / name)
        return self.refused


def test_the_scores_of_a_job_without_labels_are_made_here_and_its_own_are_not_believed(
    output: Path, tmp_path: Path
) -> None:
    for name in ("bagged_scores.csv", "fold_0/scores.csv", "fold_1/scores.csv"):
        (output / name).write_text("step,acc\nvalid,1.0\n")
    (output / "extra").mkdir()
    scorer = Scores()
    found = score(pulled(output, tmp_path / "log", labels="one"), scorer)
    assert isinstance(found, Scored), found
    assert found.bagged.scores["valid"]["acc"] == [0.96, 0.9782608695652174]
    (labels, times), *more = scorer.asked
    assert (labels, len(times), more) == ("one", 2, [])
    assert times[0][0] == found.folds[0].train_time_s
    assert not any(name.endswith(".csv") for name in scorer.seen)


def test_predictions_that_cannot_be_scored_are_the_participants_failure(output: Path, tmp_path: Path) -> None:
    found = score(pulled(output, tmp_path / "log", labels="one"), Scores("fold_1/y_pred_test.npz is missing"))
    assert isinstance(found, Failed)
    assert (found.blame, found.cause) == (Blame.PARTICIPANT, Cause.BAD_OUTPUT)
    assert found.message == "the submission's predictions were refused: fold_1/y_pred_test.npz is missing"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda output: shutil.rmtree(output / "fold_1"), "fold_1 is missing"),
        (lambda output: (output / "fold_2").mkdir(), "more than 2 folds"),
        (lambda output: (output / "fold_0" / "test_time").unlink(), "fold_0/test_time is missing"),
        (lambda output: (output / "fold_0" / "valid_time").write_text("nan"), "not a finite number"),
    ],
)
def test_what_a_job_without_labels_lacks_is_found_before_its_predictions_are_looked_at(
    output: Path, tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    change(output)
    scorer = Scores()
    found = score(pulled(output, tmp_path / "log", labels="one"), scorer)
    assert isinstance(found, Failed)
    assert said in found.message
    assert scorer.asked == []


def test_a_job_without_labels_that_failed_is_judged_as_any_other(output: Path, tmp_path: Path) -> None:
    scorer = Scores()
    found = score(pulled(output, tmp_path / "log", code=1, labels="one"), scorer)
    assert isinstance(found, Failed)
    assert (found.cause, scorer.asked) == (Cause.RAISED, [])


def test_a_job_without_labels_cannot_be_scored_where_nothing_scores_any_more(output: Path, tmp_path: Path) -> None:
    with pytest.raises(KitChanged, match="scored on their hosts by now"):
        score(pulled(output, tmp_path / "log", labels="one"))
