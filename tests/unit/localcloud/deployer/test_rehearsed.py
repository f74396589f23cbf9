"""What is not acted upon is said of what there is."""

from __future__ import annotations

from localcloud.deployer import table
from localcloud.deployer.rehearsed import NOT_ACTED_ON


def test_every_type_of_which_something_is_said_can_be_deployed() -> None:
    assert set(NOT_ACTED_ON) <= set(table.HANDLERS)


def test_each_is_said_in_part_of_a_sentence() -> None:
    assert [text for text in NOT_ACTED_ON.values() if text[:1].isupper() or text.endswith(".")] == []


def test_machines_and_images_are_real() -> None:
    real = {"aws:ec2/instance:Instance", "aws:ec2/fleet:Fleet", "aws:ec2/launchTemplate:LaunchTemplate"}
    assert real.isdisjoint(NOT_ACTED_ON)
