"""Read YAML text into values that remember their lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import yaml
from yaml.constructor import SafeConstructor

Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"
"""What a document may hold, as YAML and JSON know it."""

Report: TypeAlias = Callable[[int | None, str, str], None]
"""Takes a line (from 1), what is wrong there and what to write instead."""

_MOST_NODES = 20_000  # aliases may unfold a short text into a huge one
_LARGEST = 2**63
_TAGS = {f"tag:yaml.org,2002:{name}": name for name in ("str", "int", "float", "bool", "null")}
_TEXT_LIKE = frozenset(f"tag:yaml.org,2002:{name}" for name in ("timestamp", "merge", "value"))
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
        self._scalars = SafeConstructor()
        self._count = 0

    def node(self, node: yaml.Node) -> Node:
        self._count += 1
        if self._count > _MOST_NODES:
            raise _TooMuch
        line = node.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            return Listing(line, tuple(self.node(item) for item in node.value))
        if isinstance(node, yaml.MappingNode):
            return Mapping(line, self._entries(node))
        return Scalar(line, self._scalar(node, line), is_literal=getattr(node, "style", None) == "|")

    def _entries(self, node: yaml.MappingNode) -> tuple[Entry, ...]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._report(line, "a reference {{ ... }} stands unquoted, which YAML reads as a mapping", _UNQUOTED)
                continue
            key = str(key_node.value)
            if key in entries:
                self._report(line, f"the key {key!r} stands twice", f"first at line {entries[key].line}: keep one")
                continue
            entries[key] = Entry(line, key, self.node(value_node))
        return tuple(entries.values())

    def _scalar(self, node: yaml.Node, line: int) -> str | int | float | bool | None:
        kind = _TAGS.get(node.tag)
        if kind is None and node.tag not in _TEXT_LIKE:
            self._report(line, f"the YAML tag {node.tag!r} is not known", "write a plain string, number or boolean")
        if kind is None or kind == "str":
            return str(node.value)
        if kind == "null":
            return None
        construct = getattr(self._scalars, f"construct_yaml_{kind}")
        try:
            value: int | float | bool = construct(node)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            self._report(line, f"{_shown(node.value)} is not a valid {kind}", "quote it")
            return str(node.value)
        if isinstance(value, int) and abs(value) > _LARGEST:
            self._report(line, f"{_shown(node.value)} is too large a number", "quote it")
            return str(node.value)
        return value


def _shown(value: object) -> str:
    """Give a value as a message may hold it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _remedy(text: str, line: int | None) -> str:
    lines = text.splitlines()
    if line is not None and line <= len(lines) and "{{" in lines[line - 1]:
        return _UNQUOTED
    return "check indentation, colons and quotes there"
