"""Show a whole event on an embedded cloud, from nothing to a leaderboard."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from contracts.event import EventConfig
from localcloud import LocalCloud
from localcloud.environment import as_exports
from runner.app import open_catalogue
from tasks import console, hosts, images, stack, submissions, training
from tasks.events import open_event

EVENT = "iris"
TEAMS = {
    "blue": ("trees", "boastful"),
    "green": ("starter", "forgetful"),
    "red": ("patient", "hungry"),
}
SUBMISSIONS = {
    "trees": "forest",
    "boastful": "floods",
    "starter": "starting_kit",
    "forgetful": "raises",
    "patient": "never_ends",
    "hungry": "eats_memory",
}
RUN_TIMEOUT_S = 12
KEPT_RUN_TIMEOUT_S = 40  # of what is tried by hand: time enough to kill what serves it
_REPOSITORY = Path(__file__).resolve().parent.parent


def run(*, keep: bool) -> None:
    """Run the demo in a temporary folder; with `keep` the cloud stays up afterwards until Ctrl-C."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rampart-demo-") as name:
        deployment = Path(name)
        _copy_example(deployment)
        console.say("starting a local cloud ...")
        with LocalCloud(deployment / "cloud") as cloud:
            _enter(cloud.environment)
            console.say(f"  level {cloud.level}: {_ABOUT_LEVELS[cloud.level]}")
            event = open_event(str(deployment / "events" / EVENT / "config.yml"))
            _whole_event(event)
            if keep:
                _stay(cloud, event)
            stack.destroy(event, local=True)
    console.say(f"done in {console.duration(time.monotonic() - began)}; nothing is left", style="bold")
    console.next_step("make your own event: invoke init-event NAME --kit PATH (README, section 'Your own event')")


_ABOUT_LEVELS = {
    "full": "every host is a machine of its own, with its own file system, users and processes",
    "user": "every host has its own home and processes; system folders are read-only",
    "plain": "every host has its own home only, for this system offers no more",
}


def _copy_example(deployment: Path) -> None:
    for folder in (Path("events") / EVENT, Path("examples") / EVENT):
        shutil.copytree(
            _REPOSITORY / folder, deployment / folder, ignore=shutil.ignore_patterns("__pycache__", "training_output")
        )


def _enter(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    os.environ["RAMPART_TIMEOUT_S"] = str(RUN_TIMEOUT_S)


def _whole_event(event: EventConfig) -> None:
    stack.up(event, local=True)
    image, verification = images.there_or_built(event, local=True)
    console.say(f"  image {image.image_id} ({image.name}) is built, tested and {verification.status}")
    for team, names in TEAMS.items():
        for name in names:
            source = event.ramp.kit_dir / "submissions" / SUBMISSIONS[name]
            submissions.submit(event, team=team, name=name, source=source)
    training.serve(event, hunger_policy="exit")
    _report(event)


def _report(event: EventConfig) -> None:
    catalogue = open_catalogue(event)
    submissions.show_leaderboard(catalogue.leaderboard(event.name))
    submissions.show_failures(catalogue.failures(event.name))
    submissions.show_steps(catalogue.submissions(event.name))
    console.result(f"instances still up: {len(hosts.live(event))}")


def _stay(cloud: LocalCloud, event: EventConfig) -> None:
    patience = {"RAMPART_TIMEOUT_S": str(KEPT_RUN_TIMEOUT_S)}
    console.result(as_exports(cloud.environment | patience).rstrip())
    console.say("the cloud stays up until Ctrl-C; in another shell, with the lines above:")
    for line in _to_try(event):
        console.say(f"  {line}")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.say("ending")


def _to_try(event: EventConfig) -> tuple[str, ...]:
    named = f"--event {event.path}"
    source = event.ramp.kit_dir / "submissions" / "never_ends"
    return (
        f"invoke status {named}",
        "aws ec2 describe-instances",
        f"invoke submit {named} --team red --submission again --path {source}",
        f"invoke train-loop {named} --hunger-policy exit    # kill -9 it, and start it again",
    )
