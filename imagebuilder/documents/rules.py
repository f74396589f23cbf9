"""Check a document's tree against what AWSTOE accepts."""

from __future__ import annotations

import re

from imagebuilder.documents import references, step_rules
from imagebuilder.documents.shapes import is_text, known_keys, text
from imagebuilder.documents.yaml_nodes import Listing, Mapping, Node, Report, Scalar, plain

_TOP = ("name", "description", "schemaVersion", "parameters", "constants", "phases")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]{3,128}")
_SECRET = re.compile(r"passw(or)?d|secret|token|credential|(access|api|private)_?key", re.IGNORECASE)


def check(root: Node, report: Report) -> None:
    """Report everything AWSTOE would refuse, secrets in clear too."""
    if not isinstance(root, Mapping):
        report(root.line, "a document is a mapping", "begin with schemaVersion: 1.0")
        return
    known_keys(root, _TOP, report)
    for key in ("name", "description"):
        _optional_text(root, key, report)
    _schema_version(root, report)
    names: dict[str, int] = {}
    _variables(root, "parameters", ("type", "default", "description"), names, report)
    _variables(root, "constants", ("type", "value"), names, report)
    _phases(root, names, report)


def _optional_text(node: Mapping, key: str, report: Report) -> None:
    found = node.get(key)
    if found is not None and not is_text(found):
        report(found.line, f"{key} is not text", "quote it")


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
    if not isinstance(found, Listing):
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
    known_keys(body, known, report)
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
        remedy = "write phases: and below it - name: build"
        report(found.line if found else None, "phases is missing or not a list", remedy)
        return
    seen: dict[str, step_rules.Steps] = {}
    for phase in found.items:
        if not isinstance(phase, Mapping):
            report(phase.line, "a phase is a mapping", "write - name: build and steps: below it")
            continue
        known_keys(phase, ("name", "steps"), report)
        name = _phase_name(phase, seen, report)
        seen[name] = {}
        steps = phase.get("steps")
        if not isinstance(steps, Listing) or not steps.items:
            report(phase.line, f"phase {name} has no steps", "write steps: and below it - name: ...")
            continue
        step_rules.check(steps, name, seen, names, report)
    if set(seen) == {"container-host-test"}:
        report(found.line, "no phase builds, validates or tests an image", "write build, validate or test")


def _phase_name(phase: Mapping, seen: dict[str, step_rules.Steps], report: Report) -> str:
    node = phase.get("name")
    name = text(node)
    line = node.line if node else phase.line
    if name is None:
        report(line, "a phase has no name", "write - name: build")
        return ""
    if name not in references.STAGE_OF_PHASE:
        near = name.lower() in references.STAGE_OF_PHASE
        report(
            line,
            f"EC2 Image Builder runs no phase {name!r}",
            f"write {name.lower()}" if near else "build, validate or test",
        )
    if name in seen:
        report(line, f"the phase {name!r} stands twice", "put its steps into one phase")
    return name
