"""What a program says may differ is left out before properties are compared."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from localcloud.deployer.ignoring import without
from tests.unit.localcloud.deployer.conftest import Up
from tests.unit.localcloud.deployer.shelf import Shelf, Thing

VALUES = {"a": {"b": 1, "c": 2}, "list": [{"b": 1, "c": 2}, {"b": 3}], "dotted": {"x.y": 1, "z": 2}, "flat": 1}


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("flat", {"flat": None}),
        ("a", {"a": None}),
        ("a.b", {"a": {"c": 2}}),
        ('["a"].b', {"a": {"c": 2}}),
        ('dotted["x.y"]', {"dotted": {"z": 2}}),
        ("list[0].b", {"list": [{"c": 2}, {"b": 3}]}),
        ("list[*].b", {"list": [{"c": 2}, {}]}),
        ("list[1]", {"list": [{"b": 1, "c": 2}, None]}),
        ("a.*", {"a": {}}),
        ("none", {}),
        ("a.none.deeper", {}),
        ("flat.deeper", {}),
    ],
)
def test_a_path_takes_away_what_lies_there_and_nothing_else(path: str, changed: dict[str, Any]) -> None:
    kept = {name: value for name, value in {**VALUES, **changed}.items() if value is not None}

    assert without(VALUES, [path]) == kept


def test_several_paths_are_taken_away_and_the_values_stay_as_they_were() -> None:
    before = {"a": {"b": 1, "c": 2}, "d": 3}

    assert without(before, ["a.b", "d"]) == {"a": {"c": 2}}
    assert before == {"a": {"b": 1, "c": 2}, "d": 3}


def test_a_change_within_a_property_may_be_ignored_alone(shelf: Shelf, up: Up) -> None:
    def program(capacity: int, kind: str) -> None:
        options = pulumi.ResourceOptions(ignore_changes=["size.capacity"])
        Thing("fleet", options, size={"capacity": capacity, "kind": kind})

    up(lambda: program(1, "spot"))

    assert up(lambda: program(2, "spot")).changed_nothing
    assert up(lambda: program(2, "on-demand")).replaced == ("fleet",)
