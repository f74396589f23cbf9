"""Who asks wrongly for images is told before anything is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from invoke.context import Context

from tasks.image_choice import images


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"use": "newest", "prune": True}, "--use and --prune are two things"),
        ({"keep": "3"}, "--keep and --yes belong to --prune"),
        ({"yes": True}, "--keep and --yes belong to --prune"),
        ({"prune": True, "keep": "0"}, "--keep '0' is no number of images, 1 to 1000"),
        ({"prune": True, "keep": "all"}, "--keep 'all' is no number"),
        ({"prune": True, "keep": "\u0663"}, "is no number"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    asked: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        images(Context(), **asked)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
