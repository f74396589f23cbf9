"""Read a YAML file into plain values, remembering the line of each."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from contracts.event_file import interpolation
from contracts.event_file.findings import Findings, Loc, is_plain, shown

_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 16
_MAX_VALUES = 10_000

_MAP = "tag:yaml.org,2002:map"
_SEQ = "tag:yaml.org,2002:seq"
_STR = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_PLACEHOLDER = re.compile(r"<[^<>]+>")
# What PyYAML lets through from the constructors of int, float, timestamp and the like, for a value they cannot make.
_UNMAKEABLE = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True)
class YamlFile:
    """A file's top-level mapping, and what was found wrong with it; `data` is empty where nothing could be read."""

    path: Path
    data: dict[str, object] = field(repr=False)
    findings: Findings = field(repr=False)

    @property
    def is_readable(self) -> bool:
        """Whether there is a mapping whose keys are worth looking at."""
        return bool(self.data) or not self.findings.problems


def read(path: Path, environ: Mapping[str, str], *, only: Collection[str] | None = None) -> YamlFile:
    """Read a file, fill its `${NAME}` references, and note every problem; never raises for what the file holds.

    Of the top level just the keys in `only` are read where it is given.
    """
    findings = Findings(path)
    text = text_of(path, findings)
    if text is None:
        return YamlFile(path, {}, findings)
    try:
        data = _tree(text, findings, environ, only)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse_syntax(findings, error.problem or "not YAML", mark.line + 1 if mark else None)
        data = {}
    except yaml.reader.ReaderError as error:
        findings.add(
            (), "holds a character YAML does not allow", "remove it", line=text.count("\n", 0, error.position) + 1
        )
        data = {}
    except (ValueError, OverflowError, yaml.YAMLError):  # an escape or a directive with a number beyond all bounds
        _refuse_syntax(findings, "an escape or directive that means nothing", None)
        data = {}
    return YamlFile(path, data, findings)


def text_of(path: Path, findings: Findings) -> str | None:
    """Give a file's text, or note why there is none."""
    try:
        if not path.exists():
            findings.add(
                (), "there is no such file", "check the name; `invoke init-event NAME --kit PATH` writes a new one"
            )
            return None
        if not path.is_file():
            findings.add((), "is not a file", "name the file itself, like events/iris/config.yml")
            return None
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is not a path"
        findings.add((), f"cannot be read: {reason}", "check the file's name and permissions")
        return None
    if len(raw) > _MAX_BYTES:
        findings.add((), f"is larger than {_MAX_BYTES // 1024} KiB", "check that it is the right file")
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        findings.add((), "is not UTF-8 text", "save it as UTF-8", line=raw.count(b"\n", 0, error.start) + 1)
        return None


def _refuse_syntax(findings: Findings, problem: str, line: int | None) -> None:
    # Words in quotes come from the file and may be part of a password; YAML's own token names are in <>.
    parts = problem.split("'")
    parts[1::2] = [part if len(part) <= 2 or part.startswith("<") else "..." for part in parts[1::2]]
    told = "'".join(parts)
    remedy = (
        "check indentation, colons and quotes; a value that begins with * & ! % @ ` { or [ goes in quotes, "
        "and so does ${NAME} between [ and ]"
    )
    findings.add((), f"is not valid YAML: {shown(told)}", remedy, line=line)


def _tree(text: str, findings: Findings, environ: Mapping[str, str], only: Collection[str] | None) -> dict[str, object]:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):  # not recursive, unlike compose
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else None
            findings.add((), f"is nested deeper than {_MAX_DEPTH} levels", "check brackets and indentation", line=line)
            return {}
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            findings.add((), "is empty", "`invoke init-event NAME --kit PATH` writes one with every key explained")
            return {}
        if not isinstance(root, MappingNode):
            findings.add((), "must hold sections (ramp:, worker:, ...)", "write `ramp:` and its keys below it", line=1)
            return {}
        return _Reader(loader, findings, environ).mapping(root, (), only)
    finally:
        loader.dispose()


class _Reader:
    """Turn nodes into plain values; a value that cannot be made becomes None with a problem noted."""

    def __init__(self, loader: yaml.SafeLoader, findings: Findings, environ: Mapping[str, str]) -> None:
        self._loader = loader
        self._findings = findings
        self._environ = environ
        self._seen = 0

    def mapping(self, node: MappingNode, loc: Loc, only: Collection[str] | None = None) -> dict[str, object]:
        written: dict[str, object] = {}
        merged: dict[str, object] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                merged = {**self._merged(value_node, loc), **merged}
                continue
            key = self._key(key_node, loc, line)
            if key is None or (only is not None and key not in only):
                continue
            here = (*loc, key)
            if key in first:
                self._findings.add(
                    here, f"is written twice, first in line {first[key]}", "keep one of the two", line=line
                )
                continue
            first[key] = line
            self._findings.lines[here] = line
            written[key] = self._value(value_node, here)
        return {**merged, **written}

    def _merged(self, node: Node, loc: Loc) -> dict[str, object]:
        value = self._value(node, loc)
        parts = value if isinstance(value, list) else [value]
        together: dict[str, object] = {}
        for part in reversed(parts):
            if isinstance(part, dict):
                together.update(part)
        return together

    def _key(self, node: Node, loc: Loc, line: int) -> str | None:
        if isinstance(node, ScalarNode) and node.tag == _STR and node.value.isprintable():
            return str(node.value)
        self._findings.add((*loc, f"line {line}"), "a key is not plain text", "write the key as text", line=line)
        return None

    def _value(self, node: Node, loc: Loc) -> object:
        self._seen += 1
        line = node.start_mark.line + 1
        if self._seen > _MAX_VALUES or len(loc) > _MAX_DEPTH:  # aliases make a small file mean a huge one
            self._findings.add(
                loc[:1], "means far more values than an event file has", "write it without aliases", line=line
            )
            return None
        if isinstance(node, MappingNode) and node.tag == _MAP:
            return self.mapping(node, loc)
        if isinstance(node, SequenceNode) and node.tag == _SEQ:
            for position, item in enumerate(node.value):
                self._findings.lines[(*loc, position)] = item.start_mark.line + 1
            return [self._value(item, (*loc, position)) for position, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self._scalar(node, loc)
        self._findings.add(
            loc, "has a YAML tag that means nothing here", "remove the word that begins with !", line=line
        )
        return None

    def _scalar(self, node: ScalarNode, loc: Loc) -> object:
        try:
            value = self._loader.construct_object(node)
        except _UNMAKEABLE:
            self._findings.add(loc, "is not a value YAML can read", "put the value in quotes")
            return None
        if not isinstance(value, str):
            return value
        if node.style is None and _PLACEHOLDER.fullmatch(value):
            self._findings.add(loc, "is still the template's placeholder", "write your own value, or remove the key")
            return None
        try:
            filled = interpolation.fill(value, self._environ)
        except interpolation.Unfilled as error:
            self._findings.add(loc, error.message, error.remedy)
            return None
        if not is_plain(filled):
            self._findings.add(loc, "holds control characters", "write plain text")
            return None
        return None if value and not filled else filled
