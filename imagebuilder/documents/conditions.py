"""Know AWSTOE's conditions, those of a step's `if` as those of Assert.

Source: the user guide of EC2 Image Builder, `toe-comparison-operators`, `toe-logical-operators` and
`toe-conditional-constructs`.
"""

from __future__ import annotations

from enum import StrEnum

from imagebuilder.documents.shapes import is_text, known_keys
from imagebuilder.documents.yaml_nodes import Listing, Mapping, Node, Report, Scalar, plain


class Branch(StrEnum):
    """What `then` and `else` may say; by default a condition that holds means Execute, any other Skip."""

    ABORT = "Abort"
    EXECUTE = "Execute"
    SKIP = "Skip"


DEEPEST = 4
"""How many logical operators may stand inside each other."""

LOGICAL = ("and", "or", "not")
ALONE = ("stringIsEmpty", "stringIsWhitespace", "binaryExists", "fileExists", "folderExists")
"""Operators without a second operand."""
WITH_VALUE = (
    *(f"string{order}" for order in ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")),
    *(f"number{order}" for order in ("Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")),
    "patternMatches",
)
"""Operators that compare their own operand with `value`."""
WITH_PATH = ("fileMD5Equals", "fileSHA1Equals", "fileSHA256Equals", "fileSHA512Equals")
"""Operators that compare their own operand with the digest of the file at `path`."""
OPERATORS = (*LOGICAL, *ALONE, *WITH_VALUE, *WITH_PATH)

_NAMES_A_FILE = frozenset(("binaryExists", "fileExists", "folderExists", *WITH_PATH))


def check(node: Node, report: Report, *, with_branches: bool) -> None:
    """Report what is wrong with a condition; `with_branches` allows `then` and `else` beside its operator."""
    # AWSTOE's own syntax shows a list of one
    if isinstance(node, Listing) and len(node.items) == 1:
        node = node.items[0]
    beside = ("then", "else") if with_branches else ()
    _condition(node, report, beside, depth=0)
    if isinstance(node, Mapping):
        for key in beside:
            said = node.get(key)
            if said is not None and plain(said) not in list(Branch):
                report(said.line, f"{key} {plain(said)!r} is not known", f"one of {', '.join(Branch)}")


def _condition(node: Node, report: Report, beside: tuple[str, ...], depth: int) -> None:
    if not isinstance(node, Mapping):
        report(node.line, "a condition is not a mapping", "write an operator below it, e.g. stringEquals: ...")
        return
    found = [entry for entry in node.entries if entry.key in OPERATORS]
    if len(found) != 1:
        names = ", ".join(entry.key for entry in found) or "none"
        known = f"known: {', '.join(OPERATORS)}"
        report(node.line, f"a condition has exactly one operator, here {names}", "use and: or or:" if found else known)
        return
    name, operand = found[0].key, found[0].node
    second = "value" if name in WITH_VALUE else "path" if name in WITH_PATH else None
    known_keys(node, tuple(key for key in (name, second, *beside) if key), report)
    if name in LOGICAL:
        _logical(name, operand, report, depth + 1)
        return
    _operand(name, name, operand, report)
    if second is not None:
        given = node.get(second)
        if given is None:
            report(node.line, f"{name} lacks {second!r}", f"write {second}: beside it")
        else:
            _operand(name, second, given, report)


def _logical(name: str, operand: Node, report: Report, depth: int) -> None:
    if depth > DEEPEST:
        report(operand.line, f"more than {DEEPEST} logical operators inside each other", "split it over two steps")
        return
    parts = operand.items if isinstance(operand, Listing) else ()
    if name == "not" and isinstance(operand, Mapping):
        parts = (operand,)
    if not parts or (name == "not" and len(parts) > 1):
        wanted = "one condition" if name == "not" else "a list of conditions"
        report(operand.line, f"{name} does not hold {wanted}", f"write {wanted} below {name}:")
        return
    for part in parts:
        _condition(part, report, (), depth)


def _operand(name: str, key: str, node: Node, report: Report) -> None:
    if name in _NAMES_A_FILE:
        if not is_text(node):
            report(node.line, f"{key} is not text" if key == name else f"{key} of {name} is not text", "quote it")
    elif not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
        report(node.line, f"{key} is neither text nor a number", "quote it")
