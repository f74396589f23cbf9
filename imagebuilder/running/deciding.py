"""Decide conditions, those of a step's `if` as those of Assert.

What an operator means: the user guide of EC2 Image Builder, `toe-comparison-operators`.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable

from imagebuilder.documents.conditions import LOGICAL, Branch
from imagebuilder.documents.yaml_nodes import Value

Probe = Callable[[str], bool]
"""Whether a short script on the machine ends with 0."""


class Undecidable(Exception):
    """A condition's operands are of no use to its operator."""


def branch(condition: Value, probe: Probe) -> Branch:
    """What a step's `if` says to do with the step. Raises Undecidable."""
    if isinstance(condition, list) and len(condition) == 1:
        condition = condition[0]
    if not isinstance(condition, dict):
        raise Undecidable("it is not one condition")
    said = condition.get("then", Branch.EXECUTE) if holds(condition, probe) else condition.get("else", Branch.SKIP)
    return Branch(str(said))


def holds(condition: Value, probe: Probe) -> bool:
    """Whether a condition is true; in order, and no further than needed. Raises Undecidable."""
    if isinstance(condition, list) and len(condition) == 1:
        condition = condition[0]
    if not isinstance(condition, dict):
        raise Undecidable("it is not one condition")
    name = next((key for key in condition if key in _DECIDES or key in LOGICAL), None)
    if name is None:
        raise Undecidable(f"no operator among {', '.join(condition)}")
    operand = condition[name]
    match name:
        case "not":
            return not holds(operand, probe)
        case "and" | "or":
            parts = (holds(part, probe) for part in (operand if isinstance(operand, list) else [operand]))
            return all(parts) if name == "and" else any(parts)
    return _DECIDES[name](_text(operand), _text(condition.get("value", condition.get("path"))), probe)


def _text(value: Value) -> str:
    return "" if value is None else str(value)


_Decides = Callable[[str, str, Probe], bool]


def _ordered(accepts: Callable[[int], bool]) -> Callable[[float | str, float | str], bool]:
    """Compare two of a kind: `accepts` gets a number below, at or above 0."""

    def compare(left: float | str, right: float | str) -> bool:
        return accepts((left > right) - (left < right))  # type: ignore[operator]  # both of one kind

    return compare


def _of_texts(accepts: Callable[[int], bool]) -> _Decides:
    """Texts are compared without regard to case."""
    compare = _ordered(accepts)
    return lambda operand, value, _: compare(operand.lower(), value.lower())


def _of_numbers(accepts: Callable[[int], bool]) -> _Decides:
    """A text that is no number makes the comparison false."""
    compare = _ordered(accepts)

    def decide(operand: str, value: str, _: Probe) -> bool:
        try:
            left, right = float(operand), float(value)
        except ValueError:
            return False
        return math.isfinite(left) and math.isfinite(right) and compare(left, right)

    return decide


def _matches(pattern: str, value: str, _: Probe) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error as error:
        raise Undecidable(f"the pattern {pattern!r} cannot be read: {error}") from error


def _asked(test: str) -> _Decides:
    return lambda operand, _, probe: probe(f"{test} {shlex.quote(operand)} > /dev/null")


def _digest(program: str) -> _Decides:
    def decide(wanted: str, path: str, probe: Probe) -> bool:
        if not re.fullmatch(r"[0-9A-Fa-f]+", wanted):
            return False
        script = f"[ -f {shlex.quote(path)} ] && found=$({program} < {shlex.quote(path)}) || exit 1\n"
        return probe(f'{script}[ "${{found%% *}}" = {wanted.lower()} ]')

    return decide


_ORDERS: dict[str, Callable[[int], bool]] = {
    "Equals": lambda order: order == 0,
    "LessThan": lambda order: order < 0,
    "LessThanEquals": lambda order: order <= 0,
    "GreaterThan": lambda order: order > 0,
    "GreaterThanEquals": lambda order: order >= 0,
}
_DECIDES: dict[str, _Decides] = {
    **{f"string{name}": _of_texts(accepts) for name, accepts in _ORDERS.items()},
    **{f"number{name}": _of_numbers(accepts) for name, accepts in _ORDERS.items()},
    "stringIsEmpty": lambda operand, _, __: operand == "",
    "stringIsWhitespace": lambda operand, _, __: operand != "" and operand.isspace(),
    "patternMatches": _matches,
    "fileExists": _asked("test -f"),
    "folderExists": _asked("test -d"),
    "binaryExists": _asked("command -v --"),
    **{f"file{name}Equals": _digest(f"{name.lower()}sum") for name in ("MD5", "SHA1", "SHA256", "SHA512")},
}
