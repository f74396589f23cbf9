"""Read YAML text into values that remember their lines."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import yaml

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
"""What a document may hold, as YAML and JSON know it."""

Report: TypeAlias = Callable[[int | None, str, str], None]
"""Takes a line (from 1), what is wrong there and what to write instead."""

_MOST_NODES = 20_000  # aliases may unfold a short text into a huge one
_TOO_LARGE = 2**63
_MOST_DIGITS = 21
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value")
# AWSTOE takes a scalar as it is written where it wants text, so 0640, 1:30 and 0x1f must not become other numbers
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_BROKEN = re.compile(r"-?[0-9]+\.[0-9]*([eE][-+][0-9]+)?")
_TRUTHS = {
    **dict.fromkeys(("yes", "true", "on"), True),
    **dict.fromkeys(("no", "false", "off"), False),
}
_UNQUOTED = "quote it: '{{ Name }}', or use a block scalar (|)"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One plain value; `is_literal` says it is a block (|), whose lines below `line` are those of the value."""

    line: int
    value: str | int | float | bool | None
    is_literal: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A YAML sequence."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value` of a mapping."""

    line: int
    key: str
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """A YAML mapping, its entries in the order of the file."""

    line: int
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Node | None:
        """Give the value of a key, or None where the key is absent."""
        return next((entry.node for entry in self.entries if entry.key == key), None)


Node: TypeAlias = Scalar | Listing | Mapping


def read(text: str, report: Report) -> Node | None:
    """Read one YAML document; faults go to `report`, None is given when there is nothing to go on with."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            report(None, "the document is empty", "write schemaVersion and phases")
            return None
        return _Reader(report).node(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        report(line, f"not valid YAML: {error.problem or error.context}", _remedy(text, line))
    except yaml.YAMLError as error:
        report(None, f"not valid YAML: {str(error).splitlines()[0]}", "remove what is not printable text")
    except RecursionError:
        report(None, "nested too deeply", "a document needs about six levels")
    except _TooMuch:
        report(None, f"unfolds to more than {_MOST_NODES} values", "write the text out instead of YAML aliases")
    return None


def plain(node: Node) -> Value:
    """Give a node's value without its lines."""
    match node:
        case Scalar():
            return node.value
        case Listing():
            return [plain(item) for item in node.items]
        case Mapping():
            return {entry.key: plain(entry.node) for entry in node.entries}


class _TooMuch(Exception):
    """The document holds, or its aliases unfold to, more values than any real one."""


class _Reader:
    """Turns PyYAML's nodes into ours, counting them."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._count = 0

    def node(self, node: yaml.Node) -> Node:
        self._count += 1
        if self._count > _MOST_NODES:
            raise _TooMuch
        line = node.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            self._tag(node, ("seq",), line)
            return Listing(line, tuple(self.node(item) for item in node.value))
        if isinstance(node, yaml.MappingNode):
            self._tag(node, ("map",), line)
            if _is_unquoted(node):
                self._report(line, "a reference {{ ... }} stands unquoted, which YAML reads as a mapping", _UNQUOTED)
                return Scalar(line, "")  # as if it were quoted: one fault, one message
            return Mapping(line, self._entries(node))
        self._tag(node, _SCALAR_TAGS, line)
        return Scalar(line, self._scalar(node, line), is_literal=getattr(node, "style", None) == "|")

    def _tag(self, node: yaml.Node, known: tuple[str, ...], line: int) -> None:
        tag = str(node.tag)
        if tag.removeprefix(_TAG) not in known:
            self._report(line, f"the YAML tag {_shown(tag)} is not known", "take it away")

    def _entries(self, node: yaml.MappingNode) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(line, "a key is not a word", "write a name and a colon")
                continue
            key = str(key_node.value)
            if key in entries:
                self._report(line, f"the key {key!r} stands twice", f"first at line {entries[key].line}: keep one")
                continue
            entries[key] = Entry(line, key, self.node(value_node))
        return tuple(entries.values())

    def _scalar(self, node: yaml.Node, line: int) -> str | int | float | bool | None:
        text = str(node.value)
        match str(node.tag).removeprefix(_TAG):
            case "null":
                return None
            case "bool" if text.lower() in _TRUTHS:
                return _TRUTHS[text.lower()]
            case "bool":
                self._report(line, f"{_shown(text)} is not a valid bool", "write true or false")
            case "int" if _WHOLE.fullmatch(text):
                # its length first: reading a number of thousands of digits takes Python long
                if len(text) < _MOST_DIGITS and abs(int(text)) < _TOO_LARGE:
                    return int(text)
                self._report(line, f"{_shown(text)} is too large a number", "quote it")
            case "float" if _BROKEN.fullmatch(text) and math.isfinite(float(text)):
                return float(text)
        return text


def _is_unquoted(node: yaml.MappingNode) -> bool:
    """Tell whether a mapping is what YAML makes of `{{ Name }}`."""
    return len(node.value) == 1 and isinstance(node.value[0][0], yaml.MappingNode) and bool(node.flow_style)


def _shown(value: object) -> str:
    """Give a value as a message may hold it."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _remedy(text: str, line: int | None) -> str:
    lines = text.splitlines()
    if line is not None and line <= len(lines) and "{{" in lines[line - 1]:
        return _UNQUOTED
    return "check indentation, colons and quotes there"
