"""Conditions decide as AWSTOE decides."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.imagebuilder import conditions


def never(_command: str) -> bool:
    raise AssertionError("the machine was asked")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"stringEquals": "Ubuntu", "value": "ubuntu"}, True),
        ({"stringEquals": "a", "value": "b"}, False),
        ({"stringIsEmpty": ""}, True),
        ({"stringIsWhitespace": "  "}, True),
        ({"stringLessThan": "a", "value": "b"}, True),
        ({"patternMatches": "^2[24]", "value": "24.04"}, True),
        ({"numberEquals": 1, "value": "1.0"}, True),
        ({"numberGreaterThan": 2, "value": 1}, True),
        ({"numberLessThan": 1, "value": "a10"}, False),
        ({"and": [{"numberEquals": 1, "value": 1}, {"not": {"stringIsEmpty": "x"}}]}, True),
        ({"or": [{"stringIsEmpty": "x"}, {"numberEquals": 1, "value": 1}]}, True),
    ],
)
def test_values_are_compared(condition: dict[str, Any], expected: bool) -> None:
    assert conditions.fault(condition) is None
    assert conditions.holds(condition, never) is expected


def test_files_are_asked_for_on_the_machine() -> None:
    asked = ["test -f '/a b'"]
    assert conditions.holds({"fileExists": "/a b"}, asked.__contains__)
    assert not conditions.holds({"fileExists": "/c"}, asked.__contains__)


def test_then_and_else_say_what_happens() -> None:
    empty = {"stringIsEmpty": "", "then": "Abort"}
    assert conditions.branch(empty, never) == "Abort"
    assert conditions.branch({"stringIsEmpty": "x"}, never) == "Skip"
    assert conditions.branch({"stringIsEmpty": "x", "else": "Execute"}, never) == "Execute"


@pytest.mark.parametrize(
    "condition",
    [
        None,
        {},
        {"looksNice": "x"},
        {"stringIsEmpty": "", "numberEquals": 1, "value": 1},
        {"and": []},
        {"not": [1]},
        {"stringIsEmpty": "", "then": "Run"},
        {"fileSHA256Equals": "00"},
    ],
)
def test_a_condition_of_another_form_is_a_fault(condition: Any) -> None:
    assert conditions.fault(condition) is not None


def test_a_pattern_that_is_none_is_undecidable() -> None:
    with pytest.raises(conditions.Undecidable):
        conditions.holds({"patternMatches": "(", "value": "x"}, never)
