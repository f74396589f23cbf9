"""Command that sends a hostile submission to a host of the event, and tells what stopped it: canary."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from contracts.event import EventConfig
    from contracts.work import Provisioned
    from runner.canary import Place, Report
    from runner.ports import Hosts, Transport

_TRYING_S = 1800.0
"""How long a host that is rented for it lives at most, beyond its boot."""


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | JSON_HELP
    | {
        "instance-id": "on this running instance, which is left running afterwards",
        "host-key": "with --instance-id: file with the instance's public host key, where Rampart did not launch it",
    }
)
def canary(
    event: str | None = None,
    instance_id: str | None = None,
    host_key: str | None = None,
    config: str | None = None,
    local: bool = False,
    json: bool = False,
) -> None:
    """Send a submission that tries thefts and breakouts to a host as runs get it, and tell what stopped each.

    A public event is served only where all were stopped, unless worker.canary is waived. Exits 1 where one was not.

    Example: invoke canary --event iris
    """
    import sys

    from tasks import console
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    report = sent(opened, instance_id=instance_id, host_key_file=host_key)
    if json:
        console.data(as_data(report))
    else:
        show(opened, report)
    if report.not_stopped:
        sys.exit(1)


def sent(event: EventConfig, *, instance_id: str | None = None, host_key_file: str | None = None) -> Report:
    """Run the canary, and write what came of it into the event's database. Raises CanaryFailed."""
    from runner import canary as canaries
    from runner.app import now, open_canary_records
    from runner.scoring.choosing import scorer_of
    from runner.store import CanaryRecord
    from tasks import console
    from tasks.canary_gate import without_image

    records = open_canary_records(event)
    with scorer_of(event) as scorer, _host(event, instance_id, host_key_file) as (place, transport):
        bundle = scorer.bundle() if scorer is not None else None
        wanted = canaries.Wanted(event.name, bundle, event.worker.isolation)
        with console.progress(f"the canary on {place.host.host_id}") as told:
            report = canaries.run(place, transport, wanted, now=now, tell=lambda text: told(text, None))
    record = CanaryRecord(
        host=place.image_id or without_image(event),
        containment=report.containment,
        is_blind=report.is_blind,
        digest=canaries.digest(),
        tried=report.tried,
        not_stopped=report.not_stopped,
        ran_at=now(),
    )
    records.add(event.name, record)
    return report


def show(event: EventConfig, report: Report) -> None:
    """Print a line for each attempt, then what to make of them."""
    from runner.canary import Outcome
    from tasks import console

    rows = [
        (
            number,
            one.attempt.tried,
            one.outcome,
            f"{one.attempt.wall}: {one.by}" if one.outcome is Outcome.STOPPED else one.by,
        )
        for number, one in enumerate(report.results, start=1)
    ]
    console.table(f"the canary of {event.name}", ("#", "tried", "outcome", "what stopped it"), rows)
    weaker = "" if report.containment.is_strict else ", weaker isolation"
    stopped = f"{report.stopped} of {report.tried} attempts were stopped"
    console.result(f"contained by {report.containment}{weaker}: {stopped}")
    if not report.not_stopped:
        console.next_step(f"invoke train-loop --event {event.name}")
        return
    console.result(f"not stopped: {', '.join(report.not_stopped)}", style="red")
    if not report.containment.is_strict:
        console.say("hint: worker.isolation: strict takes hosts alone where a job is contained by more", style="yellow")
    elif not report.is_blind:
        console.say("hint: worker.scoring: server keeps labels and scores from the hosts", style="yellow")
    console.next_step(f"invoke doctor --event {event.name}")


def as_data(report: Report) -> dict[str, object]:
    """What came of it, for --json."""
    return {
        "containment": report.containment.value,
        "is_strict": report.containment.is_strict,
        "is_blind": report.is_blind,
        "stopped": report.stopped,
        "tried": report.tried,
        "not_stopped": list(report.not_stopped),
        "attempts": [
            {
                "name": one.attempt.name,
                "tried": one.attempt.tried,
                "wall": one.attempt.wall,
                "outcome": one.outcome.name.lower().replace("_", "-"),
                "by": one.by,
            }
            for one in report.results
        ],
    }


@contextmanager
def _host(event: EventConfig, instance_id: str | None, host_key_file: str | None) -> Iterator[tuple[Place, Transport]]:
    """A host as the event's runs get it, with a connection. Raises AskedWrongly where such is not ours to try."""
    from contracts.errors import AskedWrongly
    from tasks import hosts

    if instance_id is not None:
        with _of_pool(event, hosts.standing(event, instance_id, host_key_file=host_key_file)) as found:
            yield found
    elif event.worker.worker_type == "aws":
        with _rented(event) as found:
            yield found
    elif event.worker.worker_type in ("conda", "dask"):
        with _of_pool(event, _pool(event)) as found:
            yield found
    else:
        hint = "a canary can be sent to hosts of worker types aws, conda and dask"
        raise AskedWrongly(f"hosts of worker type {event.worker.worker_type} are not ours to try", hint=hint)


@contextmanager
def _rented(event: EventConfig) -> Iterator[tuple[Place, Transport]]:
    from contracts.work import HostAddress
    from runner.canary import Place
    from runner.layout import find_layout
    from tasks import console, image_following, rented

    worker = event.worker
    image = image_following.followed(event)()
    console.say(f"renting a host of {image.image_id}, a {worker.instance_type}")
    with rented.like_hosts(event).rented(
        image.image_id,
        instance_type=worker.instance_type,
        purpose="canary",
        lifetime_s=worker.boot_timeout_s + _TRYING_S,
    ) as host:
        layout = find_layout(
            host.transport, problem=event.ramp.problem_name, remote_kit_folder=worker.remote_ramp_kit_folder
        )
        address = HostAddress(host.instance.instance_id, "", worker.ami_user_name)
        yield Place(address, layout, image.image_id), host.transport


@contextmanager
def _of_pool(event: EventConfig, pool: Hosts) -> Iterator[tuple[Place, Transport]]:
    from pathlib import Path

    from runner.canary import Place
    from runner.ports import Lasting

    with ExitStack() as stack:
        if isinstance(pool, Lasting):
            stack.callback(pool.close)
        provisioned = _provisioned(event, pool)
        stack.callback(pool.release, provisioned)
        transport = pool.connect(provisioned)
        stack.callback(transport.close)
        homes = () if provisioned.layout.is_ours else (str(Path.home()),)
        yield Place(provisioned.host, provisioned.layout, provisioned.image_id, homes), transport


def _provisioned(event: EventConfig, pool: Hosts) -> Provisioned:
    from pathlib import Path

    from contracts.work import Claimed, Work
    from runner.app import now

    nobody = Path("/nonexistent")
    work = Work(0, event.name, "canary", "canary", 1, nobody, nobody, nobody, timeout_s=_TRYING_S)
    return pool.acquire(Claimed(work, now()))


def _pool(event: EventConfig) -> Hosts:
    from runner.app import make_hosts
    from runner.interruption import Interruption
    from tasks import image_following, stack

    image = image_following.followed(event)
    return make_hosts(event, outputs=stack.outputs_of(event), image=image, interruption=Interruption())
