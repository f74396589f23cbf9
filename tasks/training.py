"""Run an event's dispatcher in this process, with signals and progress."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import NoReturn

from contracts.errors import AskedWrongly, EventPaused
from contracts.event import EventConfig, HungerPolicy
from contracts.work import Failed, Scored
from runner.app import make_dispatcher, make_hosts, make_sweep, now, open_catalogue, open_store
from runner.dispatcher import Dispatcher, Summary
from runner.interruption import Interruption, Wish
from runner.ports import Hosts, Lasting, Scorer
from runner.scoring.choosing import scorer_of
from runner.store import Catalogue, SqlStore, SubmissionRow
from runner.telling.hooks import Hooks
from runner.telling.weak_walls import WeakWalls
from tasks import canary_gate, console, gateway, image_following, stack, submissions
from tasks.watching import Watch

_ABOUT_WISHES = {
    Wish.END: "ending runs, releasing hosts",
    Wish.HAND_BACK: "the runs go on on their hosts",
}


def serve(
    event: EventConfig,
    *,
    hunger_policy: str | None,
    terminate: bool = True,
    watch: Watch | None = None,
    until_closed: bool = False,
) -> Summary:
    """Serve the queue until the policy or a signal ends it; exits 130 after a signal.

    With `until_closed` an event whose window has closed ends when its queue is empty.

    A signal leaves the runs on their hosts, for the next dispatcher to go on with, or ends them with `terminate`.
    """
    policy = policy_of(hunger_policy)
    interruption = Interruption()
    with stopped_by_signals(interruption, terminate=terminate or event.hosts_end_with_loop):
        summary = serve_event(event, interruption, policy, watch or Watch(), until_closed=until_closed)
    if summary.paused and not interruption.asked:
        hint = f"mend it, then: invoke resume --event {event.name}"
        raise EventPaused(f"event {event.name} is paused: {summary.paused}", hint=hint)
    if summary.unexpected:
        sys.exit(1)
    if interruption.asked:
        sys.exit(130)
    return summary


def serve_event(
    event: EventConfig,
    interruption: Interruption,
    policy: HungerPolicy | None,
    watch: Watch,
    *,
    until_closed: bool = False,
) -> Summary:
    """Serve one queue until the policy or `interruption` ends it, and tell what came of it.

    Raises AskedWrongly where the event is public and its canary was not stopped at everything.
    """
    check_image = canary_gate.admitted(event)
    store = open_store(event)
    hooks = Hooks(event, os.environ)
    if event.hosts_end_with_loop:
        interruption = _ending(interruption)
    is_closed = partial(_has_closed, open_catalogue(event), event.name) if until_closed else None
    with (
        scorer_of(event) as scorer,
        _dispatcher(
            event, store, interruption, policy, watch, hooks, scorer, is_closed=is_closed, check_image=check_image
        ) as dispatcher,
    ):
        console.say(f"serving {event.name}: {event.n_workers} at a time")
        with hooks:
            summary = dispatcher.serve()
    told = f"{event.name}: {summary.scored} scored, {summary.failed} failed"
    if summary.requeued:
        told += f", {summary.requeued} back in the queue"
    if summary.handed_back:
        told += f", {summary.handed_back} going on on their hosts"
    console.say(told)
    if summary.handed_back:
        again = f"invoke train-loop --event {event.name}"
        console.next_step(f"{again} goes on with them; with --terminate, Ctrl-C in it ends them")
    if summary.unexpected:
        console.say(f"error: {summary.unexpected} results could not be recorded, see above", style="red")
    return summary


def _ending(interruption: Interruption) -> Interruption:
    """Have runs ended where others are handed back: theirs could not go on."""
    own = Interruption()
    interruption.on_ask(lambda: own.ask(Wish.CANCEL if interruption.wish is Wish.CANCEL else Wish.END))
    return own


def train_one(
    event: EventConfig,
    *,
    team: str,
    name: str,
    watch: Watch | None = None,
    on: Hosts | None = None,
) -> None:
    """Run one waiting submission to its end, on the host that is given or one of the event's; exits 1 when it fails."""
    row = submissions.find(event, team=team, name=name)
    if row.state != "new":
        raise _does_not_wait(event, row)
    interruption = Interruption()
    store = open_store(event)
    hooks = Hooks(event, os.environ)
    with (
        scorer_of(event) as scorer,
        _dispatcher(event, store, interruption, None, watch or Watch(), hooks, scorer, on) as dispatcher,
    ):
        claimed = store.claim_one(event.name, team, name)
        if claimed is None:  # somebody else has taken it meanwhile
            raise _does_not_wait(event, submissions.find(event, team=team, name=name))
        with stopped_by_signals(interruption), hooks:
            ended = dispatcher.run_one(claimed)
    match ended.outcome:
        case Scored(bagged=bagged):
            for step, scores in bagged.scores.items():
                for score_type, values in scores.items():
                    console.result(f"{step} {score_type} {values[-1]:.4f}")
        case Failed():
            console.next_step(f"invoke logs --event {event.name} --team {team} --submission {name}")
            sys.exit(1)
        case None:
            sys.exit(130 if interruption.asked else 1)


def _does_not_wait(event: EventConfig, row: SubmissionRow) -> AskedWrongly:
    hint = f"only new ones can be trained; what is there: invoke status --event {event.name}"
    return AskedWrongly(f"{row.team}/{row.submission} does not wait: it is {row.state}", hint=hint)


@contextmanager
def _dispatcher(
    event: EventConfig,
    store: SqlStore,
    interruption: Interruption,
    policy: HungerPolicy | None,
    watch: Watch,
    hooks: Hooks,
    scorer: Scorer | None,
    on: Hosts | None = None,
    is_closed: Callable[[], bool] | None = None,
    check_image: Callable[[str], None] = lambda _: None,
) -> Iterator[Dispatcher]:
    """Make the event's dispatcher; a host pool that was made for it is closed after."""
    outputs = stack.outputs_of(event)
    observe = watch.observer(event, partial(open_catalogue(event).counts, event.name), hooks, WeakWalls(event.name))
    hosts = on or make_hosts(
        event,
        outputs=outputs,
        image=image_following.followed(event, check_image),
        interruption=interruption,
        observe=observe,
        launches=store,
        gateway_key=gateway.ensure_known(event, outputs) if event.is_on_ec2 else "",
    )
    try:
        yield make_dispatcher(
            event,
            store=store,
            hosts=hosts,
            interruption=interruption,
            observe=observe,
            hunger_policy=policy,
            scorer=scorer,
            sweep=make_sweep(event, outputs=outputs, interruption=interruption, observe=observe),
            is_closed=is_closed or (lambda: False),
        )
    finally:
        if on is None and isinstance(hosts, Lasting):
            hosts.close()


def _has_closed(catalogue: Catalogue, event: str) -> bool:
    window = catalogue.window(event)
    return window is not None and window.closes_at is not None and window.closes_at <= now()


def policy_of(asked: str | None) -> HungerPolicy | None:
    try:
        return HungerPolicy(asked.lower()) if asked else None
    except ValueError as error:
        hint = f"one of: {', '.join(HungerPolicy)}"
        raise AskedWrongly(f"--hunger-policy {asked} does not exist", hint=hint) from error


@contextmanager
def stopped_by_signals(interruption: Interruption, *, terminate: bool = True) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks everything to stop; the second ends the process at once.

    Runs go on on their hosts unless asked to `terminate`.
    """
    wish = Wish.END if terminate else Wish.HAND_BACK
    asked: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the form signal handlers have
        if asked:
            with suppress(OSError, RuntimeError, ValueError):  # the first one may have come in the midst of a write
                console.say("exiting at once: the next train-loop goes on with what is left", style="yellow")
            _exit_now(128 + number)
        asked.append(number)
        console.say(f"stopping: {_ABOUT_WISHES[wish]} (once more to exit at once)", style="yellow")
        # what this thread does at the moment may hold the very locks that asking needs
        threading.Thread(target=interruption.ask, args=(wish,), name="stop", daemon=True).start()

    before: dict[signal.Signals, Callable[..., object] | int | None] = {
        which: signal.signal(which, stop) for which in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _exit_now(code: int) -> NoReturn:
    """Leave without a farewell to anybody; what was said is still printed."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, RuntimeError, ValueError):  # it may be in the midst of a write, or closed
            stream.flush()
    os._exit(code)
