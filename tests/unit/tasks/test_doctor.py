"""The rehearsal of faults is told in sentences."""

from __future__ import annotations

import pytest

from tasks.doctor import outcome_in


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tests/faults/test_a.py::test_nothing_is_lost PASSED   [ 12%]", ("ok", "nothing is lost")),
        (
            "tests/faults/test_a.py::test_it_is_adopted[killed_early] FAILED [ 20%]",
            ("failed", "it is adopted (killed early)"),
        ),
        ("tests/faults/test_a.py::test_it_holds SKIPPED (no sshd) [ 30%]", ("skipped", "it holds")),
        ("FAILED tests/faults/test_a.py::test_it_is_adopted - AssertionError", None),
        ("collected 31 items", None),
    ],
)
def test_the_end_of_a_rehearsed_fault_is_told_as_the_sentence_it_proves(
    line: str, expected: tuple[str, str] | None
) -> None:
    assert outcome_in(line) == expected
