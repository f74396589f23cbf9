"""Whatever stands in the file, loading it ends in an event or in told problems."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import BadConfiguration
from contracts.event import Hooks, Ramp, Worker
from contracts.event_file import load_event
from contracts.event_file.complete import FOLDERS
from contracts.infra import Image, Infra, Network

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.dates()
    | st.sampled_from(["iris", "aws", "conda", "venv", "~/x", "0.0.0.0/0", "10.0.0.0/8", "${X}", "sqlite:///x", "/x"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def some_of(*keys: str, **fixed: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """A mapping with any of the keys a section knows, of any values."""
    return st.fixed_dictionaries({}, optional={key: fixed.get(key, VALUES) for key in keys})


IMAGE = some_of(*Image.model_fields, kit=some_of("git", "ref", "folder") | VALUES)
EVENTS = some_of(
    "ramp",
    "worker",
    "dispatcher",
    "infra",
    "database_url",
    "sqlalchemy",
    ramp=some_of(*Ramp.model_fields, "deployment_dir") | VALUES,
    worker=some_of(*Worker.model_fields, *FOLDERS, hooks=some_of(*Hooks.model_fields)) | VALUES,
    infra=some_of(*Infra.model_fields, network=some_of(*Network.model_fields), image=IMAGE) | VALUES,
    sqlalchemy=some_of("drivername", "username", "password", "host", "port", "database") | VALUES,
)
YAMLISH = st.text(st.sampled_from("ramp:wk{}[],&*!<|>-?#%'\"\\x0U \n\t$.~1"), max_size=60)


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder, "event.yml")


def ends_well(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        told = [str(load_event(path, environ={"X": "x"}).path)]
    except BadConfiguration as refused:
        told = [str(problem) for problem in refused.problems]
    assert told
    assert all(line.isprintable() for line in told)


@settings(max_examples=60)
@given(content=st.binary(max_size=60) | YAMLISH.map(str.encode))
def test_any_bytes_end_in_an_event_or_in_problems(content: bytes, path: Path) -> None:
    ends_well(path, content)


@settings(max_examples=80)
@given(data=EVENTS)
def test_any_values_under_known_keys_end_in_an_event_or_in_problems(data: object, path: Path) -> None:
    ends_well(path, yaml.safe_dump(data).encode())


@pytest.mark.parametrize(
    "text",
    [
        r'"\UFFFFFFFF"',
        "%YAML " + "9" * 5000 + ".1\n--- {}",
        "ramp: 9" + "9" * 5000,
        "ramp: 2026-99-99",
        "ramp: !!int ''",
        "ramp: !!bool x",
        "ramp: !!timestamp x",
        "ramp: !!binary é",
        "ramp: {<<: [1, {a: b}], <<: 3, =: 4}",
        "[" * 50_000,
        "? [a]\n: b",
        "a\x00b",
        "--- {}\n--- {}",
        'ramp: {kit_dir: "a\\0b", event_name: "\\uD800"}',
        f"ramp: {{problem_name: iris, event_name: iris, kit_dir: {'x' * 9000}}}\nworker: {{worker_type: aws}}",
        "ramp: {problem_name: iris, event_name: iris}\nworker: {worker_type: aws, timeout: 1e+999}",
    ],
)
def test_texts_that_break_yaml_readers_end_in_problems(text: str, path: Path) -> None:
    ends_well(path, text.encode("utf-8", "surrogatepass"))
