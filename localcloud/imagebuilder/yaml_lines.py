"""Read YAML into plain values that still know their lines."""

from __future__ import annotations

import re
from math import isinf
from typing import Any

import yaml

_TAGS = "tag:yaml.org,2002:"
_WORDS = {"str", "timestamp", "merge", "value"}
_PLAIN = {
    "int": re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII),
    "float": re.compile(r"-?\d+\.\d*(?:[eE][-+]\d+)?", re.ASCII),
}
_INTEGERS = 2**63
_DEPTH = 40
_NODES = 20_000


class Unreadable(Exception):
    """The text is not YAML as a component document may be; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Mapping(dict[str, Any]):
    """A mapping with the line it begins at and the line of each key."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


def load(text: str) -> Any:
    """Parse one YAML document; raises Unreadable for bad YAML, several documents, repeated keys and recursion."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, str(error.problem or error.context)) from error
    except yaml.YAMLError as error:
        raise Unreadable(1, str(error).splitlines()[0]) from error
    except RecursionError as error:
        raise Unreadable(1, "the document is nested too deep") from error
    return _Values().value(node) if node is not None else None


class _Values:
    def __init__(self) -> None:
        self._seen = 0

    def value(self, node: yaml.Node, depth: int = 0) -> Any:
        self._seen += 1
        line = node.start_mark.line + 1
        if depth > _DEPTH or self._seen > _NODES:
            raise Unreadable(line, "the document is nested too deep or repeats itself by aliases")
        kind = node.tag.removeprefix(_TAGS)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [self.value(item, depth + 1) for item in node.value]
        if not isinstance(node, yaml.ScalarNode):
            raise Unreadable(line, f"a value cannot be read: its tag is {node.tag}")
        return self._scalar(kind, str(node.value), line)

    def _scalar(self, kind: str, text: str, line: int) -> Any:
        """A scalar's value; numbers are those in plain decimal form, all others are meant as they are written."""
        if kind in _WORDS:
            return text
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in yaml.SafeLoader.bool_values:
            return yaml.SafeLoader.bool_values[text.lower()]
        if kind not in _PLAIN:
            raise Unreadable(line, f"a value cannot be read as {kind}")
        if not _PLAIN[kind].fullmatch(text):
            return text
        if kind == "float":
            return text if isinf(float(text)) else float(text)
        if len(text) > 20 or not -_INTEGERS < int(text) < _INTEGERS:
            raise Unreadable(line, "a number is too large")
        return int(text)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> Mapping:
        made = Mapping(node.start_mark.line + 1)
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key, str):
                raise Unreadable(line, "a key must be a word")
            if key in made:
                raise Unreadable(line, f"the key '{key}' is there twice")
            made.lines[key] = line
            made[key] = self.value(value_node, depth + 1)
        return made
