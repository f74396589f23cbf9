"""Commands for an event's queue: status, retry, cancel, resume."""

from __future__ import annotations

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, SUBMISSION_HELP, command


@command(help=EVENT_HELP | LOCAL_HELP | JSON_HELP)
def status(event: str | None = None, config: str | None = None, local: bool = False, json: bool = False) -> None:
    """Show every submission: its state, where it runs, what it waits for, when it will about start, why it failed.

    Example: invoke status --event iris
    """
    from tasks.events import open_event
    from tasks.status import print_status

    print_status(open_event(event, config=config, local=local), as_json=json)


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | SUBMISSION_HELP
    | {
        "failed": "instead of one submission: all of the event that failed",
        "all": "instead of one submission: all of the event that ended, the scored ones too",
    }
)
def retry(
    team: str | None = None,
    submission: str | None = None,
    event: str | None = None,
    config: str | None = None,
    failed: bool = False,
    all: bool = False,
    local: bool = False,
) -> None:
    """Put submissions that ended into the queue again; a new result replaces the one shown, the history stays.

    Example: invoke retry --event iris --team blue --submission forest
    """
    from contracts.errors import AskedWrongly
    from runner.app import open_wishes
    from runner.store import Which
    from tasks import console
    from tasks.events import open_event

    is_one = team is not None and submission is not None
    if [is_one, failed, all].count(True) != 1 or (not is_one and (team or submission)):
        raise AskedWrongly("run what again?", hint="--team T --submission S, or --failed, or --all")
    opened = open_event(event, config=config, local=local)
    wishes = open_wishes(opened)
    if team is not None and submission is not None:
        wishes.retry(opened.name, team, submission)
        again = [f"{team}/{submission}"]
    else:
        again = wishes.retry_all(opened.name, Which.ENDED if all else Which.FAILED)
    for name in again:
        console.result(f"{name} waits in the queue of {opened.name} again")
    if not again:
        console.result(f"no submission of {opened.name} has {'ended' if all else 'failed'}")
        return
    console.next_step(f"invoke train-loop --event {opened.name}")


@command(help=EVENT_HELP | LOCAL_HELP | SUBMISSION_HELP)
def cancel(
    team: str, submission: str, event: str | None = None, config: str | None = None, local: bool = False
) -> None:
    """End a submission that waits or runs; its team is told that the organiser did.

    Example: invoke cancel --event iris --team blue --submission forest
    """
    from runner.app import open_wishes
    from runner.store import Cancelled
    from tasks import console
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    if open_wishes(opened).cancel(opened.name, team, submission) is Cancelled.AT_ONCE:
        console.result(f"{team}/{submission} is cancelled: it had not begun")
        return
    console.result(f"{team}/{submission} is being cancelled: its dispatcher ends the run and releases the host")
    console.next_step(f"invoke status --event {opened.name}")


@command(help=EVENT_HELP | LOCAL_HELP)
def resume(event: str | None = None, config: str | None = None, local: bool = False) -> None:
    """Let a paused event go on, once what paused it has been mended.

    Example: invoke resume --event iris
    """
    from runner.app import open_wishes
    from tasks import console
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    was = open_wishes(opened).resume(opened.name)
    if was is None:
        console.result(f"{opened.name} was not paused")
        return
    console.result(f"{opened.name} goes on; it was paused since {console.moment(was.since)}: {was.reason}")
    console.next_step(f"invoke retry --event {opened.name} --failed")
