"""Check a step's inputs against what its action takes."""

from __future__ import annotations

from typing import assert_never

from imagebuilder.documents import conditions
from imagebuilder.documents.actions import ACTIONS, Action, Form, Input, Kind
from imagebuilder.documents.shapes import known_keys, text, whole
from imagebuilder.documents.yaml_nodes import Listing, Mapping, Node, Report, Scalar, plain


def check(step: Mapping, report: Report) -> None:
    """Report an action that AWSTOE does not know, or inputs that it would refuse."""
    node = step.get("action")
    name = text(node)
    if node is None or name is None:
        report(step.line, "a step has no action", "write action: ExecuteBash")
        return
    action = ACTIONS.get(name)
    if action is None:
        near = next((known for known in ACTIONS if known.lower() == name.lower()), None)
        report(node.line, f"unknown action {name!r}", near or f"known: {', '.join(ACTIONS)}")
        return
    inputs = step.get("inputs")
    if inputs is None or plain(inputs) is None:
        if action.inputs_required:
            report(step.line, f"{name} has no inputs", f"write inputs: with {_wanted(action)}")
    elif action.form is Form.CONDITION:
        conditions.check(inputs, report, with_branches=False)
    else:
        _inputs(name, action, inputs, report)


def _wanted(action: Action) -> str:
    return ", ".join(action.required) or " or ".join(action.one_of) or str(action.form)


def _inputs(name: str, action: Action, inputs: Node, report: Report) -> None:
    bodies: tuple[Node, ...] = ()
    if action.form is Form.ENTRIES and isinstance(inputs, Listing):
        bodies = inputs.items
    elif action.form is Form.MAPPING and isinstance(inputs, Mapping):
        bodies = (inputs,)
    if not bodies:
        report(inputs.line, f"the inputs of {name} are not {action.form}", f"required: {_wanted(action)}")
    for body in bodies:
        if isinstance(body, Mapping):
            _body(name, action, body, report)
        else:
            report(body.line, f"an input of {name} is not a mapping", f"required: {_wanted(action)}")


def _body(name: str, action: Action, body: Mapping, report: Report) -> None:
    known_keys(body, action.known, report)
    for key in action.required:
        if body.get(key) is None:
            report(body.line, f"{name} lacks the input {key!r}", f"required: {_wanted(action)}")
    given = [key for key in action.one_of if body.get(key) is not None]
    if action.one_of and len(given) != 1:
        report(body.line, f"{name} takes exactly one of {' and '.join(action.one_of)}", "write one of them")
    for one in action.inputs:
        node = body.get(one.name)
        if node is not None:
            _input(one, node, report)


def _input(one: Input, node: Node, report: Report) -> None:
    match one.kind:
        case Kind.TEXTS | Kind.COMMANDS:
            _texts(one, node, report)
        case Kind.TABLE:
            _table(one, node, report)
        case Kind.PARAMETERS:
            _parameters(one, node, report)
        case Kind.REGISTRY_VALUE:
            parts = node.items if isinstance(node, Listing) else (node,)
            if not parts or not all(_is_number_or_text(part) for part in parts):
                report(node.line, f"{one.name} is not {one.kind}", "quote it")
        case Kind.TEXT | Kind.FLAG | Kind.NUMBER:
            _scalar(one, node, report)
        case _ as never:
            assert_never(never)


def _scalar(one: Input, node: Node, report: Report) -> None:
    said, number = text(node), whole(node)
    if said is not None and "{{" in said:
        return  # only a run knows what it will be
    if one.kind is Kind.TEXT:
        fits = said is not None or number is not None
        if fits and one.choices and (said or "").lower() not in one.choices:
            report(node.line, f"{one.name} {plain(node)!r} is not known", f"one of {', '.join(one.choices)}")
    elif one.kind is Kind.FLAG:
        fits = said in ("true", "false") or (isinstance(node, Scalar) and isinstance(node.value, bool))
    else:
        fits = number is not None and number >= 0
    if not fits:
        report(node.line, f"{one.name} is not {one.kind}", "quote it" if one.kind is Kind.TEXT else f"write {one.kind}")


def _texts(one: Input, node: Node, report: Report) -> None:
    if not isinstance(node, Listing) or (one.kind is Kind.COMMANDS and not node.items):
        report(node.line, f"{one.name} is not a list", f"write {one.name}: and below it - 'text'")
        return
    for item in node.items:
        if text(item) is None:
            what = "a command" if one.kind is Kind.COMMANDS else f"an entry of {one.name}"
            report(item.line, f"{what} is not text", "quote it, or write - | and the text below")


def _table(one: Input, node: Node, report: Report) -> None:
    if not isinstance(node, Mapping):
        report(node.line, f"{one.name} is not {one.kind}", "write Name: 'text' below it")
        return
    for entry in node.entries:
        if text(entry.node) is None and whole(entry.node) is None:
            report(entry.line, f"{entry.key} of {one.name} is not text", "quote it")


def _parameters(one: Input, node: Node, report: Report) -> None:
    for item in node.items if isinstance(node, Listing) else (node,):
        if not isinstance(item, Mapping):
            report(item.line, f"{one.name} is not {one.kind}", "write - name: ... and value: ... below it")
            continue
        known_keys(item, ("name", "value"), report)
        for key in ("name", "value"):
            given = item.get(key)
            if given is None or text(given) is None:
                report(item.line, f"{key} of a parameter is not text", "write name: and value:, both quoted")


def _is_number_or_text(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is not None and not isinstance(node.value, bool)
