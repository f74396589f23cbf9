"""Check a document's tree against what AWSTOE accepts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imagebuilder import references
from imagebuilder.actions import ACTIONS, Action, Form
from imagebuilder.yaml_nodes import Listing, Mapping, Node, Report, Scalar, plain

_TOP = ("name", "description", "schemaVersion", "parameters", "constants", "phases")
_STEP = ("name", "action", "timeoutSeconds", "onFailure", "maxAttempts", "if", "loop", "inputs")
_LOOP = ("name", "for", "forEach")
_ON_FAILURE = ("Abort", "Continue", "Ignore")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]{3,128}")
_SECRET = re.compile(r"passw(or)?d|secret|token|credential|(access|api|private)_?key", re.IGNORECASE)


def check(root: Node, report: Report) -> None:
    """Report everything AWSTOE would refuse, secrets in clear too."""
    if not isinstance(root, Mapping):
        report(root.line, "a document is a mapping", "begin with schemaVersion: 1.0")
        return
    _known_keys(root, _TOP, report)
    for key in ("name", "description"):
        _optional_text(root, key, report)
    _schema_version(root, report)
    names: dict[str, int] = {}
    _variables(root, "parameters", ("type", "default", "description"), names, report)
    _variables(root, "constants", ("type", "value"), names, report)
    _phases(root, names, report)


def _known_keys(node: Mapping, known: Iterable[str], report: Report) -> None:
    for entry in node.entries:
        if entry.key not in known:
            report(entry.line, f"unknown key {entry.key!r}", f"known here: {', '.join(known)}")


def _optional_text(node: Mapping, key: str, report: Report) -> None:
    found = node.get(key)
    if found is not None and not _is_text(found):
        report(found.line, f"{key} is not text", "quote it")


def _is_text(node: Node | None) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and node.value != ""


def _schema_version(root: Mapping, report: Report) -> None:
    found = root.get("schemaVersion")
    if found is None:
        report(None, "schemaVersion is missing", "write schemaVersion: 1.0")
    elif not isinstance(found, Scalar) or str(found.value) != "1.0":
        report(found.line, f"schemaVersion {plain(found)!r} is not known", "write schemaVersion: 1.0")


def _variables(root: Mapping, section: str, known: tuple[str, ...], names: dict[str, int], report: Report) -> None:
    """Check `parameters` or `constants`: a list of one-key mappings, the type below the name."""
    found = root.get(section)
    if found is None:
        return
    if not isinstance(found, Listing) or not found.items:
        report(found.line, f"{section} is not a list", f"write {section}: and below it - Name:")
        return
    for item in found.items:
        if not isinstance(item, Mapping) or not item.entries:
            report(item.line, f"an entry of {section} is not `- Name:`", "write - Name: and type below it")
            continue
        first = item.entries[0]
        if len(item.entries) > 1:
            keys = ", ".join(entry.key for entry in item.entries[1:])
            report(
                item.entries[1].line,
                f"{keys} stand beside {first.key}, not below it",
                f"indent them below {first.key}:",
            )
            continue
        if first.key in names:
            report(first.line, f"{first.key!r} is declared twice", f"first at line {names[first.key]}: keep one")
        names[first.key] = first.line
        _variable(first.key, first.line, first.node, known, report)


def _variable(name: str, line: int, body: Node, known: tuple[str, ...], report: Report) -> None:
    if not _VARIABLE_NAME.fullmatch(name):
        report(line, f"{name!r} is not a variable's name", "3 to 128 letters, digits, - or _")
    if not isinstance(body, Mapping):
        report(line, f"{name} has no type below it", "write type: string, indented below the name")
        return
    _known_keys(body, known, report)
    kind = body.get("type")
    if kind is None or plain(kind) != "string":
        report(kind.line if kind else line, f"the type of {name} is not string", "write type: string")
    for key in ("default", "value", "description"):
        given = body.get(key)
        if given is None:
            if key == "value" and key in known:
                report(line, f"the constant {name} has no value", "write value: '...'")
        elif not isinstance(given, Scalar) or not isinstance(given.value, str):
            report(given.line, f"{key} of {name} is not text", "quote it")
        elif key != "description" and given.value and _SECRET.search(name):
            remedy = "documents are readable by everybody in the account: fetch it from Secrets Manager in a step"
            report(given.line, f"{name} looks like a secret written in clear", remedy)


def _phases(root: Mapping, names: dict[str, int], report: Report) -> None:
    found = root.get("phases")
    if not isinstance(found, Listing) or not found.items:
        report(
            found.line if found else None, "phases is missing or not a list", "write phases: and below it - name: build"
        )
        return
    seen: dict[str, tuple[str, ...]] = {}
    for phase in found.items:
        if not isinstance(phase, Mapping):
            report(phase.line, "a phase is a mapping", "write - name: build and steps: below it")
            continue
        _known_keys(phase, ("name", "steps"), report)
        name = _phase_name(phase, seen, report)
        seen[name] = ()
        steps = phase.get("steps")
        if not isinstance(steps, Listing) or not steps.items:
            report(phase.line, f"phase {name} has no steps", "write steps: and below it - name: ...")
            continue
        for step in steps.items:
            if not isinstance(step, Mapping):
                report(step.line, "a step is a mapping", "write - name: ..., action: ... and inputs:")
                continue
            _step(step, name, seen, names, report)
            seen[name] += (str(plain(step.get("name") or step)),)


def _phase_name(phase: Mapping, seen: dict[str, tuple[str, ...]], report: Report) -> str:
    node = phase.get("name")
    name = plain(node) if node else None
    line = node.line if node else phase.line
    if not isinstance(name, str):
        report(line, "a phase has no name", "write - name: build")
        return ""
    if name not in references.STAGE_OF_PHASE:
        remedy = f"write {name.lower()}" if name.lower() in references.STAGE_OF_PHASE else "build, validate or test"
        report(line, f"EC2 Image Builder runs no phase {name!r}", remedy)
    if name in seen:
        report(line, f"the phase {name!r} stands twice", "put its steps into one phase")
    return name


def _step(step: Mapping, phase: str, seen: dict[str, tuple[str, ...]], names: dict[str, int], report: Report) -> None:
    _known_keys(step, _STEP, report)
    name = step.get("name")
    if not _is_text(name):
        report(step.line, "a step has no name", "write - name: WhatItDoes")
    elif str(plain(name or step)) in seen[phase]:
        report(step.line, f"the step {plain(name or step)!r} stands twice in phase {phase}", "give it another name")
    _limits(step, report)
    _action(step, report)
    loop = _loop(step, report)
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
            if wrong:
                report(line, *wrong)


def _limits(step: Mapping, report: Report) -> None:
    timeout = step.get("timeoutSeconds")
    if timeout is not None and not (_is_whole(timeout) and (_number(timeout) > 0 or _number(timeout) == -1)):
        report(
            timeout.line, f"timeoutSeconds {plain(timeout)!r} is not valid", "a whole number above 0, or -1 for none"
        )
    attempts = step.get("maxAttempts")
    if attempts is not None and not (_is_whole(attempts) and _number(attempts) > 0):
        report(attempts.line, f"maxAttempts {plain(attempts)!r} is not valid", "a whole number above 0")
    on_failure = step.get("onFailure")
    if on_failure is not None and plain(on_failure) not in _ON_FAILURE:
        report(on_failure.line, f"onFailure {plain(on_failure)!r} is not known", f"one of {', '.join(_ON_FAILURE)}")
    condition = step.get("if")
    if condition is not None and not isinstance(condition, Mapping):
        report(condition.line, "if is not a mapping", "write an operator below it, e.g. stringEquals: ...")


def _is_whole(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, int) and not isinstance(node.value, bool)


def _number(node: Node) -> int:
    return node.value if isinstance(node, Scalar) and isinstance(node.value, int) else 0


def _action(step: Mapping, report: Report) -> None:
    node = step.get("action")
    name = plain(node) if node else None
    if not isinstance(name, str):
        report(step.line, "a step has no action", "write action: ExecuteBash")
        return
    action = ACTIONS.get(name)
    if action is None:
        near = next((known for known in ACTIONS if known.lower() == name.lower()), None)
        report(node.line if node else step.line, f"unknown action {name!r}", near or f"known: {', '.join(ACTIONS)}")
        return
    inputs = step.get("inputs")
    if inputs is None or plain(inputs) is None:
        if action.inputs_required:
            report(
                step.line, f"{name} has no inputs", f"write inputs: with {', '.join(action.required) or 'its values'}"
            )
        return
    _inputs(name, action, inputs, report)


def _inputs(name: str, action: Action, inputs: Node, report: Report) -> None:
    match action.form, inputs:
        case Form.ANY, _:
            return
        case Form.ENTRIES, Listing(items=(_, *_) as entries):
            bodies = tuple(entries)
        case Form.MAPPING, Mapping():
            bodies = (inputs,)
        case _:
            report(
                inputs.line, f"the inputs of {name} are not {action.form}", f"required: {', '.join(action.required)}"
            )
            return
    for body in bodies:
        if not isinstance(body, Mapping):
            report(body.line, f"an input of {name} is not a mapping", f"required: {', '.join(action.required)}")
            continue
        if action.known is not None:
            _known_keys(body, action.known, report)
        for key in action.required:
            if body.get(key) is None or plain(body.get(key) or body) is None:
                report(body.line, f"{name} lacks the input {key!r}", f"required: {', '.join(action.required)}")
    if name == "ExecuteBash" and isinstance(inputs, Mapping):
        _commands(inputs.get("commands"), report)


def _commands(commands: Node | None, report: Report) -> None:
    if commands is None or plain(commands) is None:
        return
    if not isinstance(commands, Listing) or not commands.items:
        report(commands.line, "commands is not a list", "write commands: and below it - |")
        return
    for command in commands.items:
        if not isinstance(command, Scalar) or not isinstance(command.value, str):
            report(command.line, "a command is not text", "quote it, or write - | and the script below")


def _loop(step: Mapping, report: Report) -> str | None:
    """Check a loop and give the name its variables go by, None without a loop."""
    node = step.get("loop")
    if node is None:
        return None
    if not isinstance(node, Mapping):
        report(node.line, "loop is not a mapping", "write for: or forEach: below it")
        return "loop"
    _known_keys(node, _LOOP, report)
    counted, each = node.get("for"), node.get("forEach")
    if (counted is None) == (each is None):
        report(node.line, "a loop has exactly one of for and forEach", "write one of them")
    if counted is not None:
        for key in ("start", "end", "updateBy"):
            if not isinstance(counted, Mapping) or counted.get(key) is None:
                report(counted.line, f"for lacks {key!r}", "write start, end and updateBy")
    if isinstance(each, Mapping) and (each.get("list") is None or each.get("delimiter") is None):
        report(each.line, "forEach lacks list or delimiter", "write list: 'a,b' and delimiter: ','")
    elif isinstance(each, Scalar):
        report(each.line, "forEach is not a list", "write - 'value' below it")
    name = node.get("name")
    return str(plain(name)) if name else "loop"


def _references(node: Node) -> Iterable[tuple[int, str]]:
    """Give every reference below a node with its line, or its string's first line where lines are folded."""
    match node:
        case Scalar(value=str() as text):
            for line_ends, reference in references.in_text(text):
                yield node.line + (1 + line_ends if node.is_literal else 0), reference
        case Listing():
            for item in node.items:
                yield from _references(item)
        case Mapping():
            for entry in node.entries:
                yield from _references(entry.node)
