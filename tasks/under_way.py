"""Find what is under way for an event, and end its hosts where that is wanted."""

from __future__ import annotations

import time
from dataclasses import dataclass

from contracts.errors import CloudError, StoreUnavailable, UnknownName
from contracts.event import EventConfig
from contracts.instance import Instance
from tasks import console, hosts

_LONGEST_S = 600.0
_LOOK_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Runs that a dispatcher has in its hands, as `team/submission`, and hosts that are up."""

    runs: tuple[str, ...]
    hosts: tuple[Instance, ...]

    def __bool__(self) -> bool:
        return bool(self.runs or self.hosts)

    def __str__(self) -> str:
        runs = f"runs {', '.join(self.runs)}" if self.runs else ""
        up = f"hosts {', '.join(host.instance_id for host in self.hosts)}" if self.hosts else ""
        return " and ".join(filter(None, (runs, up)))


def find(event: EventConfig, *, despite_database: bool = False) -> UnderWay:
    """Look into the database and at the cloud.

    Raises StoreUnavailable where the database does not answer, unless `despite_database`.
    """
    return UnderWay(_runs(event, despite_database=despite_database), tuple(hosts.live(event)))


def end_hosts(event: EventConfig, live: tuple[Instance, ...]) -> None:
    """End the hosts, and wait until they are: what they stand on cannot be deleted before. Raises CloudError."""
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for

    if not live:
        return
    ec2 = Ec2(session_for(event))
    ids = [host.instance_id for host in live]
    ec2.terminate(ids)
    latest = time.monotonic() + _LONGEST_S
    while left := [one for one in ids if not _is_terminated(ec2.instance(one))]:
        if time.monotonic() > latest:
            raise CloudError(f"EC2 has not ended {', '.join(left)} yet", hint="wait, then again: invoke destroy")
        time.sleep(_LOOK_AGAIN_S)
    console.say(f"ended: {', '.join(ids)}")


def _runs(event: EventConfig, *, despite_database: bool) -> tuple[str, ...]:
    from runner.app import open_catalogue
    from runner.telling.estimate import is_running

    try:
        rows = open_catalogue(event).submissions(event.name)
    except UnknownName:
        return ()
    except StoreUnavailable as error:
        if not despite_database:
            raise
        console.say(f"warning: {error.message}: whether runs are under way is not known", style="yellow")
        return ()
    return tuple(f"{row.team}/{row.submission}" for row in rows if is_running(row))


def _is_terminated(found: Instance | None) -> bool:
    return found is None or found.state == "terminated"
