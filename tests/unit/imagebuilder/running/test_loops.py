"""A loop's turns are those the guide tells of."""

from __future__ import annotations

import pytest

from imagebuilder.documents.yaml_nodes import Value
from imagebuilder.running import loops
from imagebuilder.running.variables import Turn


def values(loop: Value) -> list[str]:
    return [turn.value for turn in loops.turns(loop) if turn is not None]


def counted(start: Value, end: Value, by: Value) -> Value:
    return {"for": {"start": start, "end": end, "updateBy": by}}


def test_a_step_without_a_loop_has_one_turn() -> None:
    assert list(loops.turns(None)) == [None]


def test_both_bounds_belong_to_a_counted_loop() -> None:
    assert values(counted(1, 3, 1)) == ["1", "2", "3"]
    assert values(counted(1, 6, 2)) == ["1", "3", "5"]
    assert values(counted(1, -1, -1)) == ["1", "0", "-1"]
    assert values(counted(2, 1, 1)) == []


def test_a_list_may_be_text_with_a_delimiter_and_has_no_empty_items() -> None:
    assert values({"forEach": {"list": "a;b;;c", "delimiter": ";"}}) == ["a", "b", "c"]
    assert values({"forEach": {"list": "a,b"}}) == ["a", "b"]
    assert values({"forEach": {"list": "", "delimiter": ","}}) == []


def test_turns_are_counted_from_zero_and_know_their_loop() -> None:
    assert list(loops.turns({"name": "fruit", "forEach": ["x", 7]})) == [Turn(0, "x", "fruit"), Turn(1, "7", "fruit")]


@pytest.mark.parametrize("loop", [counted(1, 3, 0), counted("one", 3, 1), {"forEach": "a"}, {"for": 3}])
def test_bounds_of_no_use_are_refused(loop: Value) -> None:
    with pytest.raises(loops.BadLoop):
        list(loops.turns(loop))


def test_a_loop_has_an_end() -> None:
    turns = loops.turns(counted(0, 10**12, 1))
    with pytest.raises(loops.BadLoop, match="more than"):
        for _ in turns:
            pass
