"""Decide the conditions of a component document's `if` and `Assert`."""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

Probe = Callable[[str], bool]
"""Whether a shell command on the machine exits with 0."""

ACTIONS = ("Abort", "Execute", "Skip")


class Undecidable(Exception):
    """A condition's operands are of no use to its operator."""


def fault(condition: Any, *, with_branches: bool = True) -> str | None:
    """What is wrong with a condition's form, or None; `then` and `else` belong to a step's `if`, not to Assert."""
    if isinstance(condition, list) and len(condition) == 1:
        condition = condition[0]
    if not with_branches or not isinstance(condition, Mapping):
        return _fault(condition, 0)
    for key in ("then", "else"):
        if condition.get(key, "Skip") not in ACTIONS:
            return f"{key} is one of {', '.join(ACTIONS)}"
    return _fault({key: value for key, value in condition.items() if key not in ("then", "else")}, 0)


def _fault(condition: Any, depth: int) -> str | None:
    if not isinstance(condition, Mapping):
        return "a condition is one operator with its operands"
    found = condition.keys() & (_COMPARISONS.keys() | _PROBES.keys() | _LOGIC)
    if len(found) != 1:
        return f"a condition has exactly one operator, not {', '.join(sorted(found)) or 'none'}"
    name = found.pop()
    second = set()
    if name in _COMPARISONS and not name.startswith("stringIs"):
        second = {"value"}
    elif name.startswith("file") and name != "fileExists":
        second = {"path"}
    if condition.keys() != {name} | second:
        if second - condition.keys():
            return f"{name} needs a {second.pop()}"
        return f"{name} cannot stand beside {', '.join(condition.keys() - {name} - second)}"
    if name in _LOGIC:
        return _logic_fault(name, condition[name], depth + 1)
    for operand in condition.values():
        if isinstance(operand, bool) or not isinstance(operand, str if name in _PROBES else (str, int, float)):
            return f"{operand!r} is nothing {name} can take"
        if name in _PROBES and not operand:
            return f"{name} needs a name"
    return None


def branch(condition: Any, probe: Probe) -> str:
    """What to do with a step: Execute, Skip or Abort."""
    only = condition[0] if isinstance(condition, list) else condition
    holds_now = holds(only, probe)
    return str(only.get("then", "Execute") if holds_now else only.get("else", "Skip"))


def holds(condition: Any, probe: Probe) -> bool:
    """Whether a condition is true; raises Undecidable."""
    if isinstance(condition, list):
        return all(holds(item, probe) for item in condition)
    for name in condition:
        if name in _LOGIC:
            return _logic(name, condition[name], probe)
        if name in _COMPARISONS:
            return _COMPARISONS[name](condition[name], condition.get("value"))
        if name in _PROBES:
            return probe(_PROBES[name](str(condition[name]), str(condition.get("path", ""))))
    raise Undecidable(f"no operator in {dict(condition)}")


_LOGIC = {"and", "or", "not"}
_DEEPEST = 4


def _logic_fault(name: str, operands: Any, depth: int) -> str | None:
    if depth > _DEEPEST:
        return f"logical operators stand in each other at most {_DEEPEST} deep"
    if name == "not":
        operands = [operands] if isinstance(operands, Mapping) else operands
        if not isinstance(operands, list) or len(operands) != 1:
            return "not needs one condition"
    if not isinstance(operands, list) or not operands:
        return f"{name} needs a list of conditions"
    return next((found for found in (_fault(operand, depth) for operand in operands) if found), None)


def _logic(name: str, operands: Any, probe: Probe) -> bool:
    if name == "not":
        return not holds(operands, probe)
    results = (holds(operand, probe) for operand in operands)
    return all(results) if name == "and" else any(results)


def _text(compare: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    """Strings are compared without regard to case, as AWSTOE does; the operator's own operand stands on the left."""
    return lambda operand, value: compare(str(operand).lower(), str(value).lower())


def _number(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def decide(operand: Any, value: Any) -> bool:
        try:
            return compare(float(operand), float(value))
        except (TypeError, ValueError):
            return False

    return decide


def _pattern(wanted: Any, value: Any) -> bool:
    try:
        return re.search(str(wanted), str(value)) is not None
    except re.error as error:
        raise Undecidable(f"the pattern {wanted!r} cannot be read: {error}") from error


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "stringIsEmpty": lambda wanted, _: str(wanted) == "",
    "stringIsWhitespace": lambda wanted, _: str(wanted) != "" and str(wanted).isspace(),
    "stringEquals": _text(operator.eq),
    "stringLessThan": _text(operator.lt),
    "stringLessThanEquals": _text(operator.le),
    "stringGreaterThan": _text(operator.gt),
    "stringGreaterThanEquals": _text(operator.ge),
    "patternMatches": _pattern,
    "numberEquals": _number(operator.eq),
    "numberLessThan": _number(operator.lt),
    "numberLessThanEquals": _number(operator.le),
    "numberGreaterThan": _number(operator.gt),
    "numberGreaterThanEquals": _number(operator.ge),
}


def _checksum(tool: str) -> Callable[[str, str], str]:
    return lambda wanted, path: f"echo {shlex.quote(f'{wanted.lower()}  {path}')} | {tool} --check --status"


_PROBES: dict[str, Callable[[str, str], str]] = {
    "fileExists": lambda path, _: f"test -f {shlex.quote(path)}",
    "folderExists": lambda path, _: f"test -d {shlex.quote(path)}",
    "binaryExists": lambda name, _: f"command -v -- {shlex.quote(name)} >/dev/null",
    "fileMD5Equals": _checksum("md5sum"),
    "fileSHA1Equals": _checksum("sha1sum"),
    "fileSHA256Equals": _checksum("sha256sum"),
    "fileSHA512Equals": _checksum("sha512sum"),
}
