"""The command that ends what outlived its time: reap."""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from runner.reaping.reaper import Account, Doomed, Fate

_LONGEST_PAUSE_S = 3600


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | JSON_HELP
    | {
        "stack": "instead of --event, needs no event file: the stack's name, with --region",
        "region": "the stack's region, e.g. eu-west-3",
        "yes": "really end them (without it, only tell which)",
        "interval-s": "seconds between marking an instance and looking again right before it is ended",
    }
)
def reap(
    event: str | None = None,
    config: str | None = None,
    stack: str | None = None,
    region: str | None = None,
    yes: bool = False,
    interval_s: str = "60",
    json: bool = False,
    local: bool = False,
) -> None:
    """End the instances of a stack that outlived their time; only tells which, unless --yes. Needs no database.

    Example: invoke reap --stack iris --region eu-west-3 --yes
    """
    from runner.reaping.reaper import Reaper
    from tasks import console

    pause_s = _seconds(interval_s)
    target = _target(event, config=config, stack=stack, region=region, local=local)
    reaper = Reaper(target.account, stack=target.stack, now=lambda: datetime.now(UTC), sleep=time.sleep)
    live = reaper.live()
    marked = reaper.doomed(live)
    console.say(f"stack {target.stack} in {target.region}: {len(live)} up, {len(marked)} past their time")
    if not (yes and marked):
        _tell(marked, as_json=json)
        console.next_step(f"{target.again} --yes" if marked else target.look)
        return
    console.say(f"looking again in {console.duration(pause_s)}, right before ending them (Ctrl-C ends none) ...")
    time.sleep(pause_s)
    _close(reaper.end(marked), target, as_json=json)


def _seconds(text: str) -> float:
    from contracts.errors import AskedWrongly

    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_PAUSE_S:
        raise AskedWrongly(
            f"--interval-s {text!r} is no number of seconds up to {_LONGEST_PAUSE_S}", hint="e.g. --interval-s 60"
        )
    return seconds


@dataclass(frozen=True)
class _Target:
    """The stack that is meant. `again` names it in the same words; `look` lists what it has up."""

    account: Account
    stack: str
    region: str
    again: str
    look: str


def _target(event: str | None, *, config: str | None, stack: str | None, region: str | None, local: bool) -> _Target:
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from contracts.errors import AskedWrongly
    from tasks.events import enter_local_cloud, open_event

    cloud = ["--local"] if local else []
    if stack is None and region is None:
        opened = open_event(event, config=config, local=local)
        words = ["--event", event or opened.name, *(["--config", config] if config else []), *cloud]
        again, look = (shlex.join(["invoke", name, *words]) for name in ("reap", "hosts"))
        return _Target(Ec2(session_for(opened)), opened.name, opened.region, again, look)
    if not stack or not region or event is not None or config is not None:
        raise AskedWrongly("which instances?", hint="--event E, or both --stack S and --region R")
    if local:
        enter_local_cloud()
    again = shlex.join(["invoke", "reap", "--stack", stack, "--region", region, *cloud])
    return _Target(Ec2.in_region(region), stack, region, again, look=again)


def _tell(marked: Sequence[Doomed], *, as_json: bool) -> None:
    rows = [_row(each) | {"outcome": "would be ended"} for each in marked]
    _print(rows, as_json=as_json, empty="nothing is past its time")


def _close(fates: Sequence[Fate], target: _Target, *, as_json: bool) -> None:
    from contracts.errors import RampartError
    from runner.reaping.reaper import Outcome
    from tasks import console

    rows = [_row(fate.doomed) | {"outcome": str(fate.outcome), "problem": fate.problem} for fate in fates]
    _print(rows, as_json=as_json, empty="")
    left = [fate for fate in fates if fate.outcome is Outcome.STILL_UP]
    for fate in left:
        console.say(f"{fate.doomed.instance.instance_id}: {fate.problem}", style="red")
    if left:
        raise RampartError(
            f"{len(left)} of {len(fates)} instances could not be ended", hint=f"try again: {target.again} --yes"
        )
    console.next_step(target.look)


def _row(each: Doomed) -> dict[str, object]:
    instance = each.instance
    return {
        "instance": instance.instance_id,
        "state": instance.state,
        "event": instance.tags.get("rampart:event"),
        "launch": instance.tags.get("rampart:launch"),
        "since": instance.launched_at,
        "reason": each.reason,
    }


def _print(rows: Sequence[dict[str, object]], *, as_json: bool, empty: str) -> None:
    from tasks import console

    if as_json:
        console.data(rows)
        return
    columns = ("instance", "state", "event", "since", "reason", "outcome")
    console.table("reap", columns, [[row[name] for name in columns] for row in rows], empty=empty)
