"""Two bakes of one event are not made at the same time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import ImageBuildUnderWay
from contracts.instance import Instance
from imagebuilder.bake import Up, refuse_beside_another
from imagebuilder.bake.baking import purpose_of

START = datetime(2026, 11, 20, 10, 30, 15, tzinfo=UTC)


def up(instance_id: str, purpose: str, minutes: int = 0) -> Up:
    launched_at = START + timedelta(minutes=minutes)
    return Up(Instance(instance_id, "running", "192.0.2.1", "ami-1", "t3.medium", launched_at), purpose)


def test_a_second_bake_is_refused_and_the_first_is_named() -> None:
    machines = [up("i-2", f"{purpose_of('b')}-build", 5), up("i-1", f"{purpose_of('a')}-test"), up("i-0", "host", -9)]
    with pytest.raises(ImageBuildUnderWay, match="over SSH since 2026-11-20 10:30:15Z, on i-1 ") as caught:
        refuse_beside_another(machines)
    assert caught.value.hint.endswith("aws ec2 terminate-instances --instance-ids i-1")


def test_other_machines_of_the_event_are_no_bake() -> None:
    refuse_beside_another([up("i-1", "host"), up("i-2", "image-build"), up("i-3", "jump-host")])
