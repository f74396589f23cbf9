"""The reference page of the event file says what the models say."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel

from contracts.event import Dispatcher, EventConfig, Hooks, Ramp, Worker
from contracts.event_file.database_url import SqlAlchemy

Load = Callable[..., EventConfig]

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "reference" / "event-file.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (?:RAMP|ours) \| ([^|]+) \|([^|]*)\|", re.MULTILINE)

HEADINGS: list[tuple[type[BaseModel], str]] = [
    (Ramp, "## `ramp`"),
    (Worker, "## `worker`"),
    (Hooks, "### `worker.hooks`"),
    (Dispatcher, "## `dispatcher`"),
    (SqlAlchemy, "## The database"),
]


@pytest.mark.parametrize(("model", "heading"), HEADINGS, ids=[model.__name__ for model, _ in HEADINGS])
def test_every_key_is_explained_with_its_default(model: type[BaseModel], heading: str) -> None:
    section = re.split(r"^##+ ", PAGE.split(f"\n{heading}")[1], maxsplit=1, flags=re.MULTILINE)[0]
    defaults = {key: default.strip() for key, _, default in ROW.findall(section)}
    for key, field in model.model_fields.items():
        if field.is_required():
            assert key in defaults
        elif isinstance(field.default, bool | int | float | StrEnum):
            assert defaults[key] == f"`{str(field.default).lower()}`"
        elif isinstance(field.default, str) and len(field.default) in range(1, 30):
            assert defaults[key] == f"`{field.default}`"
        else:
            assert key in defaults


def test_the_example_on_the_page_loads(load: Load, deployment: Path) -> None:
    python = deployment / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    example = PAGE.split("```yaml\n")[-1].split("```")[0].replace("examples/iris", "ramp-kits/iris")
    assert load(example).warnings == ()
