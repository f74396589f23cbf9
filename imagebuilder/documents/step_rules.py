"""Check the steps of one phase: names, limits, loops and references."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuilder.documents import conditions, input_rules, references
from imagebuilder.documents.actions import ACTIONS, Form
from imagebuilder.documents.shapes import is_name, known_keys, text, whole
from imagebuilder.documents.yaml_nodes import Listing, Mapping, Node, Report, Scalar, Value, plain

Steps = dict[str, Mapping]
"""The steps of one phase by their names."""

_STEP = ("name", "action", "timeoutSeconds", "onFailure", "maxAttempts", "if", "loop", "inputs")
_LOOP = ("name", "for", "forEach")
_ON_FAILURE = ("Abort", "Continue", "Ignore")
_DELIMITERS = ".,;:\n\t -_"


def check(steps: Listing, phase: str, seen: dict[str, Steps], names: dict[str, int], report: Report) -> None:
    """Report every fault of a phase's steps; `seen` holds the phases so far and is given this one's steps."""
    loops: set[str] = set()
    for step in steps.items:
        if not isinstance(step, Mapping):
            report(step.line, "a step is a mapping", "write - name: ..., action: ... and inputs:")
            continue
        known_keys(step, _STEP, report)
        name = _name(step, phase, seen[phase], report)
        _limits(step, report)
        input_rules.check(step, report)
        condition = step.get("if")
        if condition is not None:
            conditions.check(condition, report, with_branches=True)
        loop = _loop(step, loops, report)
        _chained(step, phase, loop, seen, names, report)
        seen[phase][name] = step


def _name(step: Mapping, phase: str, before: Steps, report: Report) -> str:
    node = step.get("name")
    name = text(node)
    if node is None or plain(node) in (None, ""):
        report(step.line, "a step has no name", "write - name: WhatItDoes")
    elif name is None:
        report(node.line, f"a step's name {plain(node)!r} is not text", "quote it")
    elif not is_name(node):
        report(node.line, f"{name!r} cannot be a step's name", "1 to 128 characters on one line, none of them { or }")
    elif name in before:
        report(step.line, f"the step {name!r} stands twice in phase {phase}", "give it another name")
    return name or ""


def _limits(step: Mapping, report: Report) -> None:
    # a step that runs a document has the limits of that document's steps
    is_document = text(step.get("action")) == "ExecuteDocument"
    timeout = step.get("timeoutSeconds")
    if timeout is not None:
        seconds = whole(timeout)
        if seconds is None or (seconds < 1 and seconds != -1):
            remedy = "a whole number above 0, or -1 for none"
            report(timeout.line, f"timeoutSeconds {plain(timeout)!r} is not valid", remedy)
        elif is_document and seconds != -1:
            report(timeout.line, "ExecuteDocument takes no timeoutSeconds but -1", "limit the steps of its document")
    attempts = step.get("maxAttempts")
    if attempts is not None:
        number = whole(attempts)
        if number is None or number < 1:
            report(attempts.line, f"maxAttempts {plain(attempts)!r} is not valid", "a whole number above 0")
        elif is_document and number != 1:
            report(attempts.line, "ExecuteDocument takes no maxAttempts but 1", "set it in the steps of its document")
    on_failure = step.get("onFailure")
    if on_failure is not None and plain(on_failure) not in _ON_FAILURE:
        report(on_failure.line, f"onFailure {plain(on_failure)!r} is not known", f"one of {', '.join(_ON_FAILURE)}")


def _loop(step: Mapping, names: set[str], report: Report) -> str | None:
    """Check a loop and give the name its variables go by, None without a loop."""
    node = step.get("loop")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        report(node.line, "loop is not a mapping", "write for: or forEach: below it")
        return "loop"
    known_keys(node, _LOOP, report)
    counted, each = node.get("for"), node.get("forEach")
    if (counted is None) == (each is None):
        report(node.line, "a loop has exactly one of for and forEach", "write one of them")
    if counted is not None:
        _for(counted, report)
    if each is not None:
        _for_each(each, report)
    name = node.get("name")
    if name is None:
        return "loop"
    if not is_name(name):
        report(name.line, f"{plain(name)!r} cannot be a loop's name", "quote it; none of its characters { or }")
    elif (text(name) or "") in names:
        report(name.line, f"the loop {plain(name)!r} stands twice in its phase", "give it another name")
    names.add(text(name) or "")
    return text(name) or "loop"


def _for(node: Node, report: Report) -> None:
    keys = ("start", "end", "updateBy")
    if not isinstance(node, Mapping):
        report(node.line, "for is not a mapping", "write start, end and updateBy below it")
        return
    known_keys(node, keys, report)
    numbers = []
    for key in keys:
        given = node.get(key)
        if given is None:
            report(node.line, f"for lacks {key!r}", "write start, end and updateBy")
        elif whole(given) is None:
            report(given.line, f"{key} is not a whole number", "write it out: a loop's bounds hold no references")
        numbers.append(whole(given))
    match numbers:
        case [int(), int(), 0]:
            report(node.line, "updateBy is 0", "write 1 to count up, -1 to count down")
        case [int(start), int(end), int(by)] if (end - start) * by < 0:
            report(node.line, f"from {start} to {end} by {by} would never end", "give updateBy the other sign")


def _for_each(node: Node, report: Report) -> None:
    match node:
        case Listing(items=(_, *_) as items):
            for item in items:
                if text(item) is None:
                    report(item.line, "an entry of forEach is not text", "quote it")
        case Mapping():
            known_keys(node, ("list", "delimiter"), report)
            if text(node.get("list")) is None:
                report(node.line, "forEach lacks a list that is text", "write list: 'a,b' and delimiter: ','")
            delimiter = node.get("delimiter")
            if delimiter is not None and text(delimiter) not in list(_DELIMITERS):
                remedy = f"one of {', '.join(map(repr, _DELIMITERS))}; without it ','"
                report(delimiter.line, f"delimiter {plain(delimiter)!r} is not known", remedy)
        case _:
            report(node.line, "forEach is not a list", "write - 'value' below it")


def _chained(
    step: Mapping, phase: str, loop: str | None, seen: dict[str, Steps], names: dict[str, int], report: Report
) -> None:
    for key in ("inputs", "if", "loop"):
        part = step.get(key)
        for line, reference in _references(part) if part else ():
            wrong = references.fault(
                reference,
                names=names,
                loop=loop,
                phase=phase,
                earlier=lambda other, earlier_step: earlier_step in seen.get(other, ()),
            )
            link = references.chain(reference)
            if wrong is None and link is not None:
                wrong = _dangling(reference, link, seen[link.phase][link.step])
            if wrong:
                report(line, *wrong)


def _dangling(reference: str, link: references.Chain, step: Mapping) -> tuple[str, str] | None:
    """Say what is wrong with the end of a chain whose step is there."""
    action = ACTIONS.get(text(step.get("action")) or "")
    if action is None or action.form is Form.CONDITION:
        return None
    if link.side == "inputs":
        inputs = step.get("inputs")
        if _has(plain(inputs) if inputs else None, link.path):
            return None
        return f"{{{{ {reference} }}}} names no input of that step", "count entries from 0, mend the name"
    name = next((hop for hop in link.path if isinstance(hop, str)), "")
    if name in action.outputs:
        return None
    remedy = f"it gives out {', '.join(action.outputs) or 'nothing'}"
    return f"{{{{ {reference} }}}} names nothing that {text(step.get('action'))} gives out", remedy


def _has(value: Value, path: tuple[str | int, ...]) -> bool:
    for hop in path:
        within: dict[str | int, Value] = {}
        if isinstance(value, list):
            within.update(enumerate(value))
        elif isinstance(value, dict):
            within.update(value)
        if hop not in within:
            return False
        value = within[hop]
    return True


def _references(node: Node) -> Iterator[tuple[int, str]]:
    """Give every reference below a node with its line, or its string's first line where lines are folded."""
    match node:
        case Scalar(value=str() as said):
            for line_ends, reference in references.in_text(said):
                yield node.line + (1 + line_ends if node.is_literal else 0), reference
        case Listing():
            for item in node.items:
                yield from _references(item)
        case Mapping():
            for entry in node.entries:
                yield from _references(entry.node)
