"""What the engine reports becomes a line per resource, a list of changes, and problems with their resource."""

from __future__ import annotations

import pytest
from pulumi.automation import EngineEvent

from tasks.engine_events import Listener
from tasks.planned import Planned
from tests.unit.tasks.engine_log import BUCKET, END, VPC, Event, begins, ends, fails, says, summary, urn


def heard(*events: Event, is_preview: bool = False, is_refresh: bool = False) -> tuple[Listener, list[str]]:
    lines: list[str] = []
    listener = Listener(lines.append, is_preview=is_preview, is_refresh=is_refresh)
    for event in events:
        listener.hear(EngineEvent.from_json(event))
    return listener, lines


def test_a_line_is_told_as_a_resource_begins_and_as_it_ends() -> None:
    listener, lines = heard(begins("create", "hall"), ends("create", "hall"), summary(create=1), END)

    assert lines == [f"creating  hall ({VPC})", f"created   hall ({VPC}, 3 s)"]
    assert listener.changes == [Planned("created", "hall", VPC)]
    assert listener.summary == "1 created"


def test_what_stays_as_it_is_is_counted_and_not_told() -> None:
    listener, lines = heard(begins("same", "hall"), ends("same", "hall"))

    assert (lines, listener.changes, listener.summary) == ([], [], "1 unchanged")


def test_components_providers_and_the_stack_are_no_resources() -> None:
    kinds = ("pulumi:pulumi:Stack", "pulumi:providers:aws")
    events = [ends("create", "x", kind) for kind in kinds]
    listener, lines = heard(*events, ends("create", "network", "rampart:network:Network", custom=False))

    assert (lines, listener.changes, listener.summary) == ([], [], "nothing to do")


def test_a_replacement_is_one_change_of_several_steps() -> None:
    steps = ("create-replacement", "replace", "delete-replaced")
    listener, lines = heard(*(make(op, "hall") for op in steps for make in (begins, ends)))

    assert lines == [
        f"replacing hall ({VPC})",
        f"replaced  hall ({VPC}, 3 s)",
        f"deleting the replaced hall ({VPC})",
        f"deleted the replaced hall ({VPC}, 3 s)",
    ]
    assert listener.changes == [Planned("replaced", "hall", VPC)]


def test_a_preview_tells_each_change_once_and_that_it_is_none_yet() -> None:
    replaced = ("create-replacement", "replace", "delete-replaced")
    listener, lines = heard(
        begins("same", "old", planning=True),
        *(begins(op, "hall", planning=True) for op in replaced),
        begins("update", "attic", BUCKET, planning=True),
        ends("update", "attic", BUCKET),
        is_preview=True,
    )

    assert lines == [f"would be replaced  hall ({VPC})", f"would be updated   attic ({BUCKET})"]
    assert listener.changes == [Planned("replaced", "hall", VPC), Planned("updated", "attic", BUCKET)]
    assert listener.summary == "would be 1 replaced, 1 updated, 1 unchanged"


def test_what_is_deleted_is_told_from_what_is_left_in_the_cloud() -> None:
    listener, lines = heard(ends("delete", "hall"), ends("delete", "attic", BUCKET, retained=True))

    assert [change.action for change in listener.changes] == ["deleted", "retained"]
    assert lines == [f"deleted   hall ({VPC}, 0 s)", f"retained  attic ({BUCKET}, 0 s)"]


def test_a_refresh_that_misses_a_resource_has_forgotten_it() -> None:
    listener, lines = heard(
        *(begins("refresh", "hall"), ends("delete", "hall"), begins("refresh", "attic"), ends("same", "attic")),
        is_refresh=True,
    )

    assert lines == [f"forgotten hall ({VPC}, 3 s)"]
    assert listener.summary == "1 forgotten, 1 unchanged"


def test_a_problem_keeps_its_resource_and_loses_its_colours() -> None:
    listener, lines = heard(
        begins("create", "hall"),
        says("<{%reset%}>error: creating EC2 VPC: VpcLimitExceeded\n<{%reset%}>", about=urn(VPC, "hall")),
        fails("create", "hall"),
        says("update failed", about="urn:pulumi:iris::rampart::pulumi:pulumi:Stack::rampart-iris"),
    )

    assert lines[-1] == f"failed    hall ({VPC})"
    assert [str(problem) for problem in listener.problems] == ["hall: creating EC2 VPC: VpcLimitExceeded"]
    assert listener.changes == []


def test_that_the_update_failed_is_told_where_nothing_else_was_said() -> None:
    listener, _ = heard(says("update failed"))

    assert [str(problem) for problem in listener.problems] == ["update failed"]


@pytest.mark.parametrize("severity", ["info", "info#err", "debug"])
def test_chatter_is_no_problem(severity: str) -> None:
    listener, _ = heard(says("Installing", severity=severity), says("a moment", severity="warning", ephemeral=True))

    assert (listener.problems, listener.warnings) == ([], [])


def test_a_warning_is_kept_apart_from_errors() -> None:
    listener, _ = heard(says("warning: deprecated", severity="warning", about=urn(VPC, "hall")))

    assert (listener.problems, [str(warning) for warning in listener.warnings]) == ([], ["hall: deprecated"])
