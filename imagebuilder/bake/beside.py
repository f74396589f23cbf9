"""Keep bakes of one event apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from contracts.errors import ImageBuildUnderWay
from contracts.instance import Instance

PURPOSE = "bake-"
"""How the names of all machines that are rented for bakes begin, after the event's."""


@dataclass(frozen=True, slots=True)
class Up:
    """A machine of the event that is up, and what it was rented or launched for."""

    instance: Instance
    purpose: str


def refuse_beside_another(machines: Iterable[Up]) -> None:
    """Raise ImageBuildUnderWay, which names the machine of the oldest bake, where one is up.

    A bake that was killed looks the same until its machine powers itself off.
    """
    bakes = [machine.instance for machine in machines if machine.purpose.startswith(PURPOSE)]
    if not bakes:
        return
    first = min(bakes, key=lambda instance: (instance.launched_at, instance.instance_id))
    since = f"{first.launched_at:%Y-%m-%d %H:%M:%S}Z"
    raise ImageBuildUnderWay(
        f"an image of this event is being built over SSH since {since}, on {first.instance_id}",
        hint=f"wait for its end, or end its machine: aws ec2 terminate-instances --instance-ids {first.instance_id}",
    )
