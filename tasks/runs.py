"""Commands for submissions: submit, train, train-loop, leaderboard, logs."""

from __future__ import annotations

from pathlib import Path

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, SUBMISSION_HELP, command

_WATCH_HELP = {
    "log-json": "tell what happens as JSON lines on standard error",
    "metrics-port": "answer Prometheus at http://127.0.0.1:PORT/metrics (0: any free port)",
}


@command(help=EVENT_HELP | LOCAL_HELP | SUBMISSION_HELP | {"path": "folder with the submission's code"})
def submit(
    team: str,
    submission: str,
    path: str,
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
) -> None:
    """Put a team's submission into the queue; the team is signed up where it is new.

    Example: invoke submit --event iris --team blue --submission forest --path examples/iris/submissions/forest
    """
    from tasks import console, submissions
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    submission_id = submissions.submit(opened, team=team, name=submission, source=Path(path))
    console.result(f"submission {submission_id}: {team}/{submission} waits in the queue of {opened.name}")
    console.next_step(f"invoke train-loop --event {opened.name}")


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | SUBMISSION_HELP
    | _WATCH_HELP
    | {
        "instance-id": "on this running instance, which is left running afterwards",
        "host-key": "with --instance-id: file with the instance's public host key, where Rampart did not launch it",
    }
)
def train(
    team: str,
    submission: str,
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
    log_json: bool = False,
    metrics_port: str | None = None,
    instance_id: str | None = None,
    host_key: str | None = None,
) -> None:
    """Run one submission that waits, now, and print its scores or why it failed.

    Example: invoke train --event iris --team blue --submission forest
    """
    from tasks import hosts, training
    from tasks.events import open_event
    from tasks.watching import watched

    with watched(as_json=log_json, metrics_port=metrics_port) as watch:
        opened = open_event(event, config=config, local=local)
        on = hosts.standing(opened, instance_id, host_key_file=host_key) if instance_id else None
        training.train_one(opened, team=team, name=submission, watch=watch, on=on)


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | _WATCH_HELP
    | {
        "event": "the event's name, or the path of its file (left out: every event whose window is open)",
        "hunger-policy": "none, sleep or exit: instead of the event file's (exit: stop when the queue is empty)",
        "terminate": "on Ctrl-C end the runs and release their hosts; their submissions are queued again"
        " (without it the runs go on, and the next train-loop collects them)",
    }
)
def train_loop(
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
    hunger_policy: str | None = None,
    terminate: bool = False,
    log_json: bool = False,
    metrics_port: str | None = None,
) -> None:
    """Serve the event's queue until Ctrl-C, or until it is empty with --hunger-policy exit.

    Without --event it serves every event whose window is open, takes up those that open later, and is done with
    those that closed when their queue is empty.

    Example: invoke train-loop --event iris --hunger-policy exit
    """
    from tasks import console, serving, training
    from tasks.events import event_names, open_event, read_event
    from tasks.watching import watched

    with watched(as_json=log_json, metrics_port=metrics_port) as watch:
        several = event is None and len(event_names()) > 1
        if several or (event is None and serving.is_shut(read_event(None, config=config, local=local))):
            serving.serve_open_events(
                config=config, local=local, hunger_policy=hunger_policy, terminate=terminate, watch=watch
            )
            return
        opened = open_event(event, config=config, local=local)
        training.serve(
            opened, hunger_policy=hunger_policy, terminate=terminate, watch=watch, until_closed=event is None
        )
    console.next_step(f"invoke leaderboard --event {opened.name}")


@command(help=EVENT_HELP | LOCAL_HELP | JSON_HELP)
def leaderboard(event: str | None = None, config: str | None = None, local: bool = False, json: bool = False) -> None:
    """Show the scored submissions, best first.

    Example: invoke leaderboard --event iris --json
    """
    from tasks import submissions
    from tasks.events import open_event

    submissions.print_leaderboard(open_event(event, config=config, local=local), as_json=json)


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | SUBMISSION_HELP
    | {"follow": "live from the host of the run, until it ends; Ctrl-C leaves the run alone"}
)
def logs(
    team: str,
    submission: str,
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
    follow: bool = False,
) -> None:
    """Print the log of a submission's last run, or of the one that goes on.

    Example: invoke logs --event iris --team blue --submission forest --follow
    """
    from tasks import following, submissions
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    if follow:
        following.follow(opened, team=team, name=submission)
    else:
        submissions.print_log(opened, team=team, name=submission)


@command(help=EVENT_HELP | LOCAL_HELP)
def db_upgrade(event: str | None = None, config: str | None = None, local: bool = False) -> None:
    """Bring Rampart's own tables up to date; RAMP's are never altered. By itself on the embedded SQLite.

    Example: invoke db-upgrade --event iris
    """
    from runner.app import open_store
    from tasks import console
    from tasks.events import open_event

    store = open_store(open_event(event, config=config, local=local))
    console.result(f"{store.database} is up to date")
