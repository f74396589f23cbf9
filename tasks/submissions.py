"""Add submissions to an event's queue, or print what became of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import UnknownName
from contracts.event import EventConfig
from contracts.image import ImageRecord
from runner.app import open_catalogue, open_image_records
from runner.kit import describe_kit
from runner.stages import log_files
from runner.store import FailureRow, Leaderboard, SubmissionRow, check_name
from runner.workers.environments import kit_python
from tasks import console


def submit(event: EventConfig, *, team: str, name: str, source: Path) -> int:
    """Queue one submission; event and team are entered where they are new. Gives the submission's id."""
    check_name(team, "team")  # before anything is entered or a kit is loaded
    check_name(name, "submission")
    catalogue = open_catalogue(event)
    if not catalogue.has_event(event.name):  # describing a kit loads it, which takes seconds
        kit = describe_kit(event.ramp.kit_dir, data_dir=event.ramp.data_dir, python=str(kit_python(event.worker)))
        catalogue.add_event(event, kit)
    catalogue.add_team(event.name, team)
    return catalogue.add_submission(event, team, name, source)


def find(event: EventConfig, *, team: str, name: str) -> SubmissionRow:
    """The submission of that name. Raises UnknownName."""
    rows = open_catalogue(event).submissions(event.name)
    row = next((row for row in rows if (row.team, row.submission) == (team, name)), None)
    if row is None:
        raise UnknownName(f"no submission {team}/{name} in {event.name}", hint=f"invoke status --event {event.name}")
    return row


def print_leaderboard(event: EventConfig, *, as_json: bool) -> None:
    board = open_catalogue(event).leaderboard(event.name)
    images = {record.image_id: record for record in open_image_records(event).all(event.name)}
    if as_json:
        console.data([dataclasses.asdict(row) | _made_from(images.get(row.image_id)) for row in board.rows])
    else:
        show_leaderboard(board, images)


def show_leaderboard(board: Leaderboard, images: Mapping[str, ImageRecord] | None = None) -> None:
    """The leaderboard as a table: rank, scores on validation data, mean times of a fold.

    Where scores come from several machine images they may not compare: then each says which, by the build date.
    """
    types = board.score_types
    known = images or {}
    several = len({row.image_id for row in board.rows}) > 1
    rows = [
        (rank, row.team, row.submission, *(_rounded(row.valid.get(one.name), one.precision) for one in types),
         console.duration(row.train_time_s), row.submitted_at, *([_image(row.image_id, known)] if several else []))
        for rank, row in enumerate(board.rows, start=1)
    ]  # fmt: skip
    console.table(
        f"leaderboard of {board.event}",
        (
            *("rank", "team", "submission", *(one.name for one in types), "train time", "submitted"),
            *(["image"] if several else []),
        ),
        rows,
        empty="no submission has been scored yet",
    )
    if several:
        _show_legend(board, known)


def _show_legend(board: Leaderboard, known: Mapping[str, ImageRecord]) -> None:
    console.result("scores come from several machine images, which may not compare:")
    for image_id in dict.fromkeys(row.image_id for row in board.rows if row.image_id):
        record = known.get(image_id)
        made = [f"{what} {text[:12]}" for what, text in _made_from(record).items() if text]
        told = ", ".join([f"{image_id} ({record.name})" if record else image_id, *made])
        console.result(f"  {_image(image_id, known)}: {told}")


def _image(image_id: str, known: Mapping[str, ImageRecord]) -> str | None:
    """What tells an image from the event's others in few letters: the build date in its name, else its id."""
    record = known.get(image_id)
    return (record.name.rpartition(" ")[2] if record else image_id) or None


def _made_from(record: ImageRecord | None) -> dict[str, str]:
    return {"kit": record.provenance.kit, "data": record.provenance.data} if record else {"kit": "", "data": ""}


def show_failures(failures: list[FailureRow]) -> None:
    """The submissions that ended without scores: whose fault, and why."""
    rows = [(row.team, row.submission, row.state, row.blame, row.cause, row.reason) for row in failures]
    columns = ("team", "submission", "state", "fault of", "cause", "reason")
    console.table("failed submissions", columns, rows, empty="none")


def show_steps(rows: list[SubmissionRow]) -> None:
    """What each stage of each submission's last run took."""
    stages = list(dict.fromkeys(stage for row in rows for stage in row.steps))
    cells = [
        (row.team, row.submission, *(console.duration(row.steps.get(stage)) for stage in stages), _took(row))
        for row in rows
    ]
    console.table("what each step took", ("team", "submission", *stages, "in all"), cells)


def print_log(event: EventConfig, *, team: str, name: str) -> None:
    row = find(event, team=team, name=name)
    for line in stored_log(event, row):
        console.result(line)


def stored_log(event: EventConfig, row: SubmissionRow) -> list[str]:
    """The lines of the log that came with the last result, of what the team is not shown of it too.

    Raises UnknownName where there is none.
    """
    shown = event.ramp.logs_dir / f"submission_{row.submission_id:09d}" / "log"
    whole = log_files.whole_log_dir(event.state_dir, row.submission_id) / "log"
    named = f"{row.team}/{row.submission}"
    try:
        path = whole if whole.is_file() else shown
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError as error:
        if row.state != "new" and row.ended_at:
            raise UnknownName(f"{named} left no log: {row.reason or row.state}") from error
        hint = "it comes with the result; while it runs: invoke logs --follow"
        raise UnknownName(f"{named} has no log yet: it is {row.state}", hint=hint) from error


def _took(row: SubmissionRow) -> str:
    if row.started_at is None or row.ended_at is None:
        return "-"
    return console.duration((row.ended_at - row.started_at).total_seconds())


def _rounded(score: float | None, precision: int) -> str | None:
    return None if score is None else f"{score:.{precision}f}"
