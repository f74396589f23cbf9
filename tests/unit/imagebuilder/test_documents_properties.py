"""Whatever a document says, it survives being written and read; whatever bytes come, no traceback does."""

from __future__ import annotations

import contextlib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import BadDocument
from imagebuilder import documents
from imagebuilder.documents import Constant, Document, Parameter, Phase, Step

# what YAML can hold at all, without braces: references are judged, not kept as they come
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="{}\ufeff\ufffe\uffff")
    | st.sampled_from("\n\t :#-'\"|>%@`&*!?[],"),
    max_size=40,
)
NAMES = st.from_regex(r"[A-Za-z0-9_-]{3,20}", fullmatch=True)
STEP_NAMES = TEXT.filter(bool)
SCRIPTS = st.fixed_dictionaries({"commands": st.lists(TEXT, min_size=1, max_size=3)})
STEPS = st.builds(
    Step,
    name=STEP_NAMES,
    action=st.just("ExecuteBash"),
    inputs=SCRIPTS,
    timeout_s=st.none() | st.just(-1) | st.integers(1, 10**6),
    on_failure=st.sampled_from([None, "Abort", "Continue", "Ignore"]),
    max_attempts=st.none() | st.integers(1, 9),
    condition=st.none() | st.dictionaries(TEXT, TEXT | st.booleans() | st.integers(-9, 9), min_size=1, max_size=2),
    loop=st.none() | st.fixed_dictionaries({"forEach": st.lists(TEXT, max_size=3)}),
)
PHASES = st.lists(
    st.builds(
        Phase,
        name=st.sampled_from(["build", "validate", "test"]),
        steps=st.lists(STEPS, min_size=1, max_size=3, unique_by=lambda step: step.name).map(tuple),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda phase: phase.name,
).map(tuple)
VARIABLES = st.lists(NAMES, max_size=4, unique=True)


@st.composite
def generated(draw: st.DrawFn) -> Document:
    names = draw(VARIABLES.filter(lambda found: not any("key" in name.lower() for name in found)))
    split = draw(st.integers(0, len(names)))
    return Document(
        phases=draw(PHASES),
        name=draw(st.none() | STEP_NAMES),
        description=draw(st.none() | STEP_NAMES),
        parameters=tuple(Parameter(name, draw(st.none() | TEXT), draw(st.none() | TEXT)) for name in names[:split]),
        constants=tuple(Constant(name, draw(TEXT)) for name in names[split:]),
    )


@settings(max_examples=80)
@given(generated())
def test_every_document_is_read_back_as_it_was_written(document: Document) -> None:
    assert documents.parse(documents.render(document), Path("generated.yml")) == document


@settings(max_examples=150)
@given(st.binary(max_size=200) | TEXT.map(str.encode))
def test_no_bytes_end_in_a_traceback(source: bytes) -> None:
    with contextlib.suppress(BadDocument):
        documents.parse(source, Path("any.yml"))


SOURCE = (Path(documents.__file__).parent / "components" / "challenge-kit-folder.yml").read_text()


@settings(max_examples=100)
@given(
    st.integers(0, len(SOURCE)), st.integers(0, 40), TEXT | st.sampled_from(["{{", "}}", "&a ", "*a", "? ", "!!int "])
)
def test_no_damage_to_a_good_document_ends_in_a_traceback(at: int, removed: int, inserted: str) -> None:
    with contextlib.suppress(BadDocument):
        documents.parse(SOURCE[:at] + inserted + SOURCE[at + removed :], Path("damaged.yml"))
