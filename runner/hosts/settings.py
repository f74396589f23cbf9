"""What the hosts of an event have in common, with how often EC2 is asked about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from contracts.instance import Pool
from runner.hosts.way_in import WayIn


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """What all hosts of an event have in common. `stack` and `event` become tags.

    `instance_type` is the preferred one; a host may be of the `further_types` where EC2 has no such machine.
    """

    stack: str
    event: str
    problem: str
    instance_type: str
    user: str
    key_path: Path
    launch_template_id: str = ""
    key_name: str = ""
    security_group_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    spot: bool = False
    boot_timeout_s: float = 600.0
    remote_kit_folder: str | None = None
    further_types: tuple[str, ...] = ()
    way_in: WayIn = field(default_factory=WayIn)

    @property
    def types(self) -> tuple[str, ...]:
        """What a host may be, the preferred type first."""
        return tuple(dict.fromkeys((self.instance_type, *self.further_types)))

    @property
    def pools(self) -> tuple[Pool, ...]:
        """Where hosts may be launched, those of the preferred type first; without a subnet EC2 chooses the zone."""
        return tuple(Pool(one, subnet) for one in self.types for subnet in self.subnet_ids or ("",))


@dataclass(frozen=True, slots=True)
class Tempo:
    """How often EC2 is asked, and for how long it is given time. All in seconds.

    `gather` is how long a launch or termination waits for another to go along. `shortest_look` to `longest_look` lie
    between two looks at all instances, `notice` between two looks for spot notices. `settling` is how long EC2 may not
    know an instance it launched; `ending` how long it may take to end one. A pool without a machine rests for
    `pool_rest`; when every pool rests, they are tried after `first_retry`, then doubled up to `longest_retry`; a limit
    that was met is raised by one after each `limit_rest`. Which image hosts are launched from is asked again after
    `image`.
    """

    gather: float = 0.03
    shortest_look: float = 0.05
    longest_look: float = 2.0
    notice: float = 5.0
    settling: float = 60.0
    ending: float = 120.0
    pool_rest: float = 600.0
    first_retry: float = 15.0
    longest_retry: float = 300.0
    limit_rest: float = 600.0
    image: float = 30.0


TEMPO = Tempo()
"""What AWS's rates and people's patience allow."""
