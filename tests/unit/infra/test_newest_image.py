"""Which image machines are declared with."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
import pytest

from contracts.event import EventConfig
from infra.newest_image import newest_image
from infra.tags import Labels
from tests.unit.infra.conftest import MakeEvent
from tests.unit.infra.recording import Recording, record

GET_AMI_IDS = "aws:ec2/getAmiIds:getAmiIds"


def _asked(event: EventConfig, ids: list[str]) -> tuple[str | None, Recording]:
    found: list[str | None] = []

    def declare() -> None:
        provider = aws.Provider("aws", region=event.region)
        found.append(newest_image(event, Labels(event.name, "stack"), pulumi.InvokeOptions(provider=provider)))

    recording = record(declare, answers={GET_AMI_IDS: {"ids": ids}})
    return found[0], recording


def test_the_newest_verified_image_of_the_stack_is_known_while_the_program_runs(make_event: MakeEvent) -> None:
    image, recording = _asked(make_event(), ["ami-new", "ami-old"])

    assert image == "ami-new"
    (lookup,) = recording.lookups
    assert lookup.inputs["owners"] == ["self"]
    assert not lookup.inputs["sortAscending"]
    assert {each["name"]: each["values"] for each in lookup.inputs["filters"]} == {
        "tag:rampart:stack": ["stack"],
        "tag:rampart:status": ["verified"],
        "state": ["available"],
    }


def test_no_image_yet_is_none(make_event: MakeEvent) -> None:
    assert _asked(make_event(), [])[0] is None


@pytest.mark.parametrize("ids", [[], ["ami-new"]])
def test_the_image_that_the_event_names_by_id_wins_and_nothing_is_asked(make_event: MakeEvent, ids: list[str]) -> None:
    image, recording = _asked(make_event(worker={"ami_image_id": "ami-0abc1234def567890"}), ids)

    assert (image, recording.lookups) == ("ami-0abc1234def567890", [])
