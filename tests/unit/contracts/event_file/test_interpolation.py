"""References to the environment are filled, once."""

from __future__ import annotations

import pytest

from contracts.event_file.interpolation import Unfilled, fill

ENVIRON = {"NAME": "iris", "EMPTY": "", "NESTED": "${NAME}"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain $NAME and $ and }", "plain $NAME and $ and }"),
        ("${NAME}-${NAME}", "iris-iris"),
        ("${NESTED}", "${NAME}"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${OTHER:-a:-b c}", "a:-b c"),
        ("${OTHER:-}", ""),
        ("$${NAME} ${NAME}", "${NAME} iris"),
    ],
)
def test_a_reference_becomes_its_value(text: str, filled: str) -> None:
    assert fill(text, ENVIRON) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [("${OTHER}", "OTHER is not set"), ("${}", "names no variable"), ("${NAME", "names no"), ("${a-b}", "names no")],
)
def test_a_reference_that_cannot_be_filled_is_refused(text: str, message: str) -> None:
    with pytest.raises(Unfilled, match=message):
        fill(text, ENVIRON)
