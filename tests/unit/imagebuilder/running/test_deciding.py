"""Conditions mean what the guide says."""

from __future__ import annotations

import pytest

from imagebuilder.documents.conditions import OPERATORS, Branch
from imagebuilder.documents.yaml_nodes import Value
from imagebuilder.running import deciding


def asked(condition: Value, *, answer: bool = True) -> tuple[bool, list[str]]:
    scripts: list[str] = []

    def probe(script: str) -> bool:
        scripts.append(script)
        return answer

    return deciding.holds(condition, probe), scripts


@pytest.mark.parametrize(
    "condition",
    [
        {"stringEquals": "Text", "value": "tEXT"},
        {"stringEquals": 1.5, "value": "1.5"},
        {"stringLessThan": "a", "value": "B"},
        {"stringLessThanEquals": "b", "value": "B"},
        {"stringGreaterThan": "b", "value": "A"},
        {"stringGreaterThanEquals": "b", "value": "B"},
        {"stringIsEmpty": ""},
        {"stringIsWhitespace": " \t"},
        {"patternMatches": "^v[0-9]+$", "value": "v12"},
        {"numberEquals": "1.0", "value": 1},
        {"numberLessThan": 9, "value": "10"},
        {"numberLessThanEquals": 10, "value": 10},
        {"numberGreaterThan": 10, "value": 9.5},
        {"numberGreaterThanEquals": -1, "value": -1},
        {"not": {"stringIsEmpty": "x"}},
        {"not": [{"stringIsEmpty": "x"}]},
        {"and": [{"stringIsEmpty": ""}, {"numberEquals": 1, "value": 1}]},
        {"or": [{"stringIsEmpty": "x"}, {"numberEquals": 1, "value": 1}]},
        [{"stringIsEmpty": ""}],
    ],
)
def test_it_holds_and_its_opposite_does_not(condition: Value) -> None:
    assert asked(condition) == (True, [])
    assert asked({"not": condition}) == (False, [])


@pytest.mark.parametrize(
    "condition",
    [
        {"stringEquals": " x", "value": "x"},
        {"stringIsEmpty": " "},
        {"stringIsWhitespace": ""},
        {"patternMatches": "^V", "value": "v"},
        {"numberEquals": "a10", "value": "a10"},
        {"numberGreaterThan": "", "value": 1},
        {"numberEquals": "nan", "value": "nan"},
        {"fileMD5Equals": "not a digest; true", "path": "/x"},
    ],
)
def test_it_does_not_hold(condition: Value) -> None:
    assert asked(condition) == (False, [])


def test_no_more_is_looked_at_than_needed() -> None:
    file: Value = {"fileExists": "/a b"}
    folder: Value = {"folderExists": "/c"}
    assert asked({"and": [file, folder]}, answer=False) == (False, ["test -f '/a b' > /dev/null"])
    assert asked({"or": [file, folder]}) == (True, ["test -f '/a b' > /dev/null"])


def test_branches_have_their_defaults() -> None:
    holds: dict[str, Value] = {"stringIsEmpty": ""}
    fails: dict[str, Value] = {"stringIsEmpty": "x"}
    probe = bool
    assert deciding.branch(holds, probe) is Branch.EXECUTE
    assert deciding.branch(fails, probe) is Branch.SKIP
    assert deciding.branch({**holds, "then": "Abort"}, probe) is Branch.ABORT
    assert deciding.branch({**fails, "then": "Abort", "else": "Execute"}, probe) is Branch.EXECUTE


def test_a_pattern_that_cannot_be_read_is_undecidable() -> None:
    with pytest.raises(deciding.Undecidable, match="cannot be read"):
        asked({"patternMatches": "(", "value": "x"})


def test_a_condition_without_an_operator_is_undecidable() -> None:
    with pytest.raises(deciding.Undecidable, match="no operator"):
        asked({"stringAlmostEquals": "x"})


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_documents_may_hold_is_decided(operator: str) -> None:
    operand: Value = {"stringIsEmpty": ""} if operator == "not" else [] if operator in ("and", "or") else "0"
    asked({operator: operand, "value": "0", "path": "0"})
