"""Read YAML into plain values that still know their lines."""

from __future__ import annotations

import re
from typing import Any

import yaml

_LEADING_ZERO = re.compile(r"0[0-7]+")
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
        raise Unreadable(1, str(error)) from error
    except RecursionError as error:
        raise Unreadable(1, "the document is nested too deep") from error
    return _Values().value(node) if node is not None else None


class _Values:
    def __init__(self) -> None:
        self._seen = 0
        self._scalars = yaml.SafeLoader("")

    def value(self, node: yaml.Node, depth: int = 0) -> Any:
        self._seen += 1
        line = node.start_mark.line + 1
        if depth > _DEPTH or self._seen > _NODES:
            raise Unreadable(line, "the document is nested too deep or repeats itself by aliases")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if _LEADING_ZERO.fullmatch(node.value):
            return node.value  # file permissions are meant as they are written, not as YAML's octal numbers
        try:
            return self._scalars.construct_object(node)
        except yaml.MarkedYAMLError as error:
            raise Unreadable(line, f"a value cannot be read: {error.problem}") from error
        except ValueError as error:
            raise Unreadable(line, f"a value cannot be read: {error}") from error

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
