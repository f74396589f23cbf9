"""Show the log of a run while it is written."""

from __future__ import annotations

import os
import time
from contextlib import closing

from contracts.errors import CommandFailed, HostUnreachable
from contracts.event import EventConfig
from contracts.event_secrets import secrets_of
from contracts.redaction import Redactor
from contracts.work import Launched, Provisioned, Spread, StageValue
from runner.app import connect_to, open_catalogue
from runner.store import Catalogue, SubmissionRow
from runner.telling.estimate import is_running
from runner.telling.following import LiveLog
from tasks import console, submissions
from tasks import following_shares as shares

_LOOK_AGAIN_S = 1.0


def follow(event: EventConfig, *, team: str, name: str) -> None:
    """Print the log as it grows until the run has ended; one that waits is waited for.

    The run goes on whatever happens to us. What the host could not show any more comes from the stored log.
    """
    submissions.find(event, team=team, name=name)  # a wrong name is told before anything is waited for
    catalogue = open_catalogue(event)
    redactor = Redactor(secrets_of(event, os.environ))
    row = _launched(event, catalogue, team, name)
    value = _value(catalogue, row)
    if isinstance(value, Spread):
        row = _follow_spread(event, catalogue, row, value, redactor)
    else:
        row = _follow_one_job(event, catalogue, row, value, redactor)
    console.say(f"{team}/{name} is {row.state}" + (f": {row.reason}" if row.reason else ""), style="dim")


def _follow_one_job(
    event: EventConfig, catalogue: Catalogue, row: SubmissionRow, value: StageValue | None, redactor: Redactor
) -> SubmissionRow:
    shown, is_whole = 0, False
    if isinstance(value, Launched):
        shown, is_whole = _show_live(event, catalogue, row, LiveLog(value.pushed.provisioned, redactor))
    row = _ended(event, catalogue, row)
    if not is_whole and row.ended_at is not None:
        for line in submissions.stored_log(event, row)[shown:]:
            console.result(line)
    return row


def _follow_spread(
    event: EventConfig, catalogue: Catalogue, row: SubmissionRow, spread: Spread, redactor: Redactor
) -> SubmissionRow:
    """Follow the jobs that share the folds, then the one that puts them together."""

    def goes_on(share: Provisioned) -> bool:
        value = _value(catalogue, _row(event, catalogue, row.team, row.submission))
        return isinstance(value, Spread) and shares.is_in(share, value)

    is_whole = shares.show(event, spread, redactor, goes_on)
    while _goes_on(_row(event, catalogue, row.team, row.submission), row):
        value = _value(catalogue, row)
        if isinstance(value, Launched):
            is_whole &= _show_live(event, catalogue, row, LiveLog(value.pushed.provisioned, redactor))[1]
            break
        time.sleep(_LOOK_AGAIN_S)
    row = _ended(event, catalogue, row)
    if not is_whole:
        console.next_step(f"invoke logs --event {event.name} --team {row.team} --submission {row.submission}")
    return row


def _value(catalogue: Catalogue, row: SubmissionRow) -> StageValue | None:
    """What the run that goes on was last known by."""
    return catalogue.last_value(row.submission_id) if is_running(row) else None


def _launched(event: EventConfig, catalogue: Catalogue, team: str, name: str) -> SubmissionRow:
    """The submission, as soon as there is something to show."""
    told = ""
    while True:
        row = _row(event, catalogue, team, name)
        if row.state != "new" and (not is_running(row) or row.state == "training"):
            return row
        now = f"{team}/{name} " + ("waits in the queue" if row.state == "new" else "gets a host") + " ..."
        if now != told:
            console.say(told := now, style="dim")
        time.sleep(_LOOK_AGAIN_S)


def _show_live(event: EventConfig, catalogue: Catalogue, row: SubmissionRow, log: LiveLog) -> tuple[int, bool]:
    """Print lines as they come; gives how many there were, and whether they were all."""
    shown = 0
    while _goes_on(_row(event, catalogue, row.team, row.submission), row):
        try:
            with closing(connect_to(event, log.provisioned)) as transport:
                for line in log.lines(transport):
                    console.result(line)
                    shown += 1
                return shown, True
        except CommandFailed:  # the job's folder is gone: the run has just ended
            return shown, False
        except HostUnreachable as error:
            console.say(f"connecting again: {error.message}", style="yellow")
            time.sleep(_LOOK_AGAIN_S)
    return shown, False


def _ended(event: EventConfig, catalogue: Catalogue, followed: SubmissionRow) -> SubmissionRow:
    """The submission, as soon as the result of the run is in the database."""
    row = _row(event, catalogue, followed.team, followed.submission)
    while _goes_on(row, followed):
        time.sleep(_LOOK_AGAIN_S)
        row = _row(event, catalogue, followed.team, followed.submission)
    return row


def _goes_on(row: SubmissionRow, followed: SubmissionRow) -> bool:
    return row.attempt == followed.attempt and is_running(row)


def _row(event: EventConfig, catalogue: Catalogue, team: str, name: str) -> SubmissionRow:
    return next(row for row in catalogue.submissions(event.name) if (row.team, row.submission) == (team, name))
