"""Judge the shape of single nodes of a document."""

from __future__ import annotations

import re
from collections.abc import Iterable

from imagebuilder.documents.yaml_nodes import Mapping, Node, Report, Scalar

_NAME = re.compile(r"[^\x00-\x1f{}]{1,128}")


def known_keys(node: Mapping, known: Iterable[str], report: Report) -> None:
    """Report every key that is not known."""
    known = tuple(known)
    for entry in node.entries:
        if entry.key not in known:
            report(entry.line, f"unknown key {entry.key!r}", f"known here: {', '.join(known)}")


def text(node: Node | None) -> str | None:
    """Give a text node's text, None for any other."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def is_text(node: Node | None) -> bool:
    """Tell whether a node is text that is not empty."""
    return bool(text(node))


def whole(node: Node | None) -> int | None:
    """Give a whole number's value, None for anything else, a truth value too."""
    if isinstance(node, Scalar) and isinstance(node.value, int) and not isinstance(node.value, bool):
        return node.value
    return None


def is_name(node: Node | None) -> bool:
    """Tell whether steps and loops may be called so: what a reference can say, at most 128 characters."""
    return _NAME.fullmatch(text(node) or "") is not None
