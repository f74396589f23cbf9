"""The event file a new event begins with is valid."""

from __future__ import annotations

import string
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.event_file.template import render_event

Load = Callable[..., EventConfig]

LETTERS = string.ascii_letters + string.digits
NAMES = st.builds(str.__add__, st.sampled_from(LETTERS), st.text(LETTERS + "-_", max_size=40))
FOLDERS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/"), min_size=1, max_size=30
).filter(lambda text: text not in (".", "..", "~"))


def test_a_new_event_loads_without_problem_or_warning(load: Load, deployment: Path) -> None:
    event = load(render_event("iris", Path("ramp-kits/iris")))
    assert event.name == event.ramp.problem_name == "iris"
    assert event.ramp.kit_dir == deployment / "ramp-kits" / "iris"
    assert event.warnings == ()


@settings(max_examples=25)
@given(name=NAMES, folder=FOLDERS)
def test_any_name_comes_back_from_the_file(name: str, folder: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        kit = Path(temporary, folder)
        (kit / "submissions" / "starting_kit").mkdir(parents=True)
        (kit / "problem.py").touch()
        path = Path(temporary, "event.yml")
        path.write_text(render_event(name, kit, problem="iris"), encoding="utf-8")
        event = load_event(path, environ={})
    assert (event.name, event.ramp.event_title, event.ramp.kit_dir) == (name, name, kit)


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "é", "x" * 65])
def test_what_is_not_a_name_is_refused(name: str) -> None:
    with pytest.raises(AskedWrongly, match="is not a name"):
        render_event(name, Path("kit"))


def test_a_folder_with_control_characters_is_refused() -> None:
    with pytest.raises(AskedWrongly, match="cannot stand in an event file"):
        render_event("x", Path("kits/a\x1bb"))


def test_the_kits_folder_names_the_problem(load: Load) -> None:
    assert 'problem_name: "iris_flowers"' in render_event("x", Path("kits/iris flowers"))
    assert 'problem_name: "x"' in render_event("x", Path())
