"""Make documents of everything AWSTOE's schema has, as a person might write them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from imagebuilder.documents import Constant, Document, Parameter, Phase, Step
from imagebuilder.documents.actions import ACTIONS, Form, Input, Kind
from imagebuilder.documents.conditions import ALONE, DEEPEST, WITH_PATH, WITH_VALUE, Branch

# what YAML can hold at all; without braces, which would be references
_LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="{}\ufeff\ufffe\uffff")
TEXT = st.text(_LETTERS | st.sampled_from("\n\t :#-'\"|>%@`&*!?[],~=<0123456789"), max_size=30)
ODD = st.sampled_from(
    ["yes", "null", "~", "0640", "1:30", "1_0", "2026-11-20", ".inf", "<<", "=", "1.0", "", " ", "---"]
)
NAMES = st.text(_LETTERS | st.sampled_from(" :#-'\"*&!.0"), min_size=1, max_size=12)
WORDS = st.from_regex(r"[A-Za-z0-9_-]{3,12}", fullmatch=True).filter(
    lambda name: not any(word in name.lower() for word in ("key", "pass", "secret", "token", "credential"))
)
NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
FLAGS = st.booleans() | st.sampled_from(["true", "false"])


def _texts(names: list[str]) -> st.SearchStrategy[str]:
    """Texts, some with a reference to one of the names in it."""
    said = TEXT | ODD
    if not names:
        return said
    return said | st.builds("{}{{{{ {} }}}}{}".format, TEXT, st.sampled_from(names), TEXT)


def _value(one: Input, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    if one.choices:
        return st.sampled_from(one.choices) | st.sampled_from(one.choices).map(str.upper)
    match one.kind:
        case Kind.TEXT:
            return text | NUMBERS
        case Kind.FLAG:
            return FLAGS
        case Kind.NUMBER:
            return st.integers(0, 10**6)
        case Kind.TEXTS:
            return st.lists(text, max_size=3)
        case Kind.COMMANDS:
            return st.lists(text, min_size=1, max_size=3)
        case Kind.TABLE:
            return st.dictionaries(TEXT | ODD, text | NUMBERS, max_size=3)
        case Kind.PARAMETERS:
            return st.lists(st.fixed_dictionaries({"name": text, "value": text}), max_size=2)
        case Kind.REGISTRY_VALUE:
            return text | NUMBERS | FLOATS | st.lists(text | NUMBERS, min_size=1, max_size=3)


@st.composite
def _inputs(draw: st.DrawFn, name: str, text: st.SearchStrategy[str]) -> Any:
    action = ACTIONS[name]
    if action.form is Form.CONDITION:
        return draw(_conditions(text))
    if not action.inputs_required and draw(st.booleans()):
        return None
    values = {one.name: _value(one, text) for one in action.inputs}
    if action.one_of:
        chosen = draw(st.sampled_from(action.one_of))
        return {chosen: draw(values[chosen])}
    required = {name: value for name, value in values.items() if name in action.required}
    optional = {name: value for name, value in values.items() if name not in action.required}
    body = st.fixed_dictionaries(required, optional=optional)
    return draw(body if action.form is Form.MAPPING else st.lists(body, min_size=1, max_size=2))


@st.composite
def _conditions(draw: st.DrawFn, text: st.SearchStrategy[str], depth: int = 0) -> dict[str, Any]:
    kind = draw(st.sampled_from(["alone", "value", "path"] + ["logic"] * (depth < DEEPEST)))
    path = TEXT.filter(bool)
    if kind == "alone":
        name = draw(st.sampled_from(ALONE))
        return {name: draw(text if name.startswith("string") else path)}
    if kind == "value":
        operand = text | NUMBERS | FLOATS
        return {draw(st.sampled_from(WITH_VALUE)): draw(operand), "value": draw(operand)}
    if kind == "path":
        return {draw(st.sampled_from(WITH_PATH)): draw(path), "path": draw(path)}
    name = draw(st.sampled_from(["and", "or", "not"]))
    inner = _conditions(text, depth + 1)
    return {name: draw(inner) if name == "not" else draw(st.lists(inner, min_size=1, max_size=2))}


@st.composite
def _branched(draw: st.DrawFn, text: st.SearchStrategy[str]) -> Any:
    choices = st.sampled_from([str(branch) for branch in Branch])
    made = draw(_conditions(text)) | draw(st.fixed_dictionaries({}, optional={"then": choices, "else": choices}))
    return [made] if draw(st.booleans()) else made


@st.composite
def _loops(draw: st.DrawFn, text: st.SearchStrategy[str], name: str | None) -> dict[str, Any]:
    start, by = draw(st.integers(-9, 9)), draw(st.integers(1, 5))
    end = start + draw(st.integers(0, 10**9))
    counted = {"start": start, "end": end, "updateBy": by}
    if draw(st.booleans()):
        counted = {"start": end, "end": start, "updateBy": -by}
    listed = st.lists(text, min_size=1, max_size=3)
    joined = st.fixed_dictionaries({"list": text}, optional={"delimiter": st.sampled_from(list(".,;:\n\t -_"))})
    made = draw(st.just({"for": counted}) | st.fixed_dictionaries({"forEach": listed | joined}))
    return made if name is None else {"name": name, **made}


@st.composite
def _steps(draw: st.DrawFn, name: str, names: list[str]) -> Step:
    action = draw(st.sampled_from(sorted(ACTIONS)))
    is_document = action == "ExecuteDocument"
    text = _texts(names)
    loop = draw(st.none() | st.just("loop"))
    own = draw(st.none() | st.just(f"turn of {name}"[:128])) if loop else None
    inner = _texts([*names, "loop.index", "loop.value", *([f"{own}.value"] if own else [])]) if loop else text
    return Step(
        name=name,
        action=action,
        inputs=draw(_inputs(action, inner)),
        timeout_s=draw(st.none() | st.just(-1) if is_document else st.none() | st.just(-1) | st.integers(1, 10**6)),
        on_failure=draw(st.sampled_from([None, "Abort", "Continue", "Ignore"])),
        max_attempts=draw(st.none() | st.just(1) if is_document else st.none() | st.integers(1, 9)),
        condition=draw(st.none() | _branched(text)),
        loop=draw(_loops(text, own)) if loop else None,
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Make a document that both AWSTOE and the product take."""
    variables = draw(st.lists(WORDS, max_size=4, unique=True))
    split = draw(st.integers(0, len(variables)))
    phases = draw(st.lists(st.sampled_from(["build", "validate", "test"]), min_size=1, max_size=3, unique=True))
    made = []
    for phase in phases:
        names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
        made.append(Phase(phase, tuple(draw(_steps(name, variables)) for name in names)))
    return Document(
        phases=tuple(made),
        name=draw(st.none() | TEXT.filter(bool)),
        description=draw(st.none() | TEXT.filter(bool)),
        parameters=tuple(
            Parameter(name, draw(st.none() | TEXT | ODD), draw(st.none() | TEXT)) for name in variables[:split]
        ),
        constants=tuple(Constant(name, draw(TEXT | ODD)) for name in variables[split:]),
    )
