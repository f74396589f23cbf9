"""Lint component documents: everything wrong with one is listed at once, whatever state it is in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import AskedWrongly
from contracts.findings import Level
from imagebuilder import documents
from imagebuilder.documents import rules, yaml_nodes
from imagebuilder.documents.yaml_nodes import Node
from imagebuilder.lint import allowed, source, table
from imagebuilder.lint.hits import Hit

_LONGEST = 2 * documents.MOST_CHARACTERS
"""Of a text beyond this only the length is looked at."""
_MOST_REPAIRS = 30
_UNDECLARED = re.compile(r"\{\{ (?P<name>[\w-]+) \}\} is not declared")
_SECRET = "secret-in-clear"  # noqa: S105 - a check's name
_IS_ABOUT_A_SECRET = re.compile("looks like a secret")
_UNQUOTED = re.compile(r"(?P<head>\s*(?:- +)*(?:[\w.-]+: +)?)(?P<value>[^\s'\"#|>].*\{\{.*|\{\{.*)")
_SUFFIXES = frozenset({".yml", ".yaml"})


@dataclass(frozen=True, slots=True)
class Lint:
    """One thing wrong with a document; `allowed` is the reason a comment gives for leaving it so, else None."""

    path: Path
    line: int | None
    check: str
    level: Level
    message: str
    remedy: str
    allowed: str | None = None

    def __str__(self) -> str:
        place = str(self.path) if self.line is None else f"{self.path}:{self.line}"
        text = f"{place}: {self.level}: {self.message} — {self.remedy} [{self.check}]"
        # names and values from the document may be quoted in it: one finding stays one line
        return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def lint(content: str | bytes, path: Path, *, comes_from_s3: bool = False) -> tuple[Lint, ...]:
    """List what is wrong with a document, by its lines; `path` only names it.

    With `comes_from_s3` its length may be whatever EC2 Image Builder takes at all. Never raises, whatever it is given.
    """
    hits: list[tuple[str, Hit]] = []
    text = _text(content, hits)
    root = None
    if len(text) <= _LONGEST:
        root = _root(text, hits)
    else:
        text = text[:_LONGEST]
    seen = source.see(text, root)
    for check in table.CHECKS:
        if check.find is not None and not (comes_from_s3 and check.name == "not-inline"):
            hits.extend((check.name, hit) for hit in check.find(seen))
    return _judged(seen, hits, path)


def lint_file(path: Path) -> tuple[Lint, ...]:
    """Lint a file. Raises AskedWrongly where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AskedWrongly(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
    return lint(content, path)


def files(paths: Sequence[Path]) -> list[Path]:
    """Give the documents that are meant: files as they are, of folders all YAML files below.

    Raises AskedWrongly for a path that is not there and for a folder without documents.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
            if not inside:
                raise AskedWrongly(f"no documents in {path}", hint="documents are files that end with .yml or .yaml")
            found.extend(inside)
        elif path.exists():
            found.append(path)
        else:
            raise AskedWrongly(f"no such file or folder: {path}", hint="check the path")
    return list(dict.fromkeys(found))


def _text(content: str | bytes, hits: list[tuple[str, Hit]]) -> str:
    if isinstance(content, str):
        return content
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        hits.append((table.SCHEMA, Hit(line, "not UTF-8 text", "save the file as UTF-8")))
        return content.decode("utf-8", errors="replace")


def _root(text: str, hits: list[tuple[str, Hit]]) -> Node | None:
    """Read the tree and report what AWSTOE would refuse.

    An unquoted reference ends the reading of YAML: it is quoted and the text read once more, so that the faults
    behind it are listed too.
    """
    for _ in range(_MOST_REPAIRS):
        root, said = _read(text)
        repaired = _repaired(text, said)
        hits.extend((table.REFERENCE if "{{" in hit.message + hit.remedy else table.SCHEMA, hit) for hit in said)
        if repaired is None:
            break
        text = repaired
    if root is not None:
        faults: list[Hit] = []
        rules.check(root, lambda line, message, remedy: faults.append(Hit(line, message, remedy)))
        hits.extend((_check_of(hit), hit) for hit in faults)
    return root


def _check_of(hit: Hit) -> str:
    """Give the check under which a fault that makes AWSTOE refuse a document is told."""
    if _IS_ABOUT_A_SECRET.search(hit.message):
        return _SECRET
    return table.REFERENCE if "{{" in hit.message else table.SCHEMA


def _read(text: str) -> tuple[Node | None, list[Hit]]:
    said: list[Hit] = []

    def report(line: int | None, message: str, remedy: str) -> None:
        if message.startswith("not valid YAML") and "{{" in remedy:
            message = "a reference {{ ... }} stands unquoted, which is no valid YAML"
        said.append(Hit(line, message, remedy))

    return yaml_nodes.read(text, report), said


def _repaired(text: str, said: Sequence[Hit]) -> str | None:
    """Quote the first unquoted reference that was complained of; None where there is none."""
    lines = text.splitlines()
    for hit in said:
        if hit.line is None or hit.line > len(lines):
            continue
        found = _UNQUOTED.fullmatch(lines[hit.line - 1])
        if found and "{{" in found["value"]:
            lines[hit.line - 1] = found["head"] + "'" + found["value"].replace("'", "''") + "'"
            return "\n".join(lines) + "\n"
    return None


def _judged(seen: source.Source, hits: list[tuple[str, Hit]], path: Path) -> tuple[Lint, ...]:
    """Turn hits into findings, in the order of the lines, with what comments allow marked as such."""
    allowances, wrong = allowed.allowances(seen)
    used: set[allowed.Allowance] = set()
    found: list[Lint] = []
    # where a declaration is misshapen, that is the fault, and not each use of the name
    declared = {one.name for one in seen.variables}
    told: set[tuple[str, int | None]] = set()
    for check, hit in hits:
        undeclared = _UNDECLARED.match(hit.message)
        is_told_twice = check == _SECRET and (check, hit.line) in told
        if is_told_twice or (undeclared and undeclared["name"] in declared):
            continue
        told.add((check, hit.line))
        allowance = next((one for one in allowances if one.covers(check, hit.line)), None)
        if allowance is not None:
            used.add(allowance)
        found.append(_finding(path, check, hit, allowance.reason if allowance else None))
    for hit in (*wrong, *allowed.unused(allowances, used)):
        found.append(_finding(path, table.COMMENT, hit, None))
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (one.line or 0, one.level, one.check, one.message)))


def _finding(path: Path, check: str, hit: Hit, reason: str | None) -> Lint:
    return Lint(path, hit.line, check, table.BY_NAME[check].level, hit.message, hit.remedy, reason)
