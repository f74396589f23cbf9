"""Turn AWSTOE component documents into values and back into text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import BadDocument, Problem
from imagebuilder.documents import references, rules, yaml_nodes
from imagebuilder.documents.yaml_nodes import Value

MOST_INLINE_CHARACTERS = 16_000
"""What EC2 Image Builder takes as a component's inline data; a longer document comes from S3."""
MOST_CHARACTERS = 64_000
"""What EC2 Image Builder takes at all, by an account's default quota."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value the recipe gives; AWSTOE knows strings only."""

    name: str
    default: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A value the document itself gives."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Step:
    """One action; None stands for AWSTOE's own default. `condition` is the document's `if`."""

    name: str
    action: str
    inputs: Value = None
    timeout_s: int | None = None
    on_failure: str | None = None
    max_attempts: int | None = None
    condition: Value = None
    loop: Value = None


@dataclass(frozen=True, slots=True)
class Phase:
    """Steps that run one after the other."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A component document, checked: what AWSTOE would refuse never gets here."""

    phases: tuple[Phase, ...]
    name: str | None = None
    description: str | None = None
    parameters: tuple[Parameter, ...] = ()
    constants: tuple[Constant, ...] = ()

    def phase(self, name: str) -> Phase | None:
        """Give a phase by its name, or None."""
        return next((phase for phase in self.phases if phase.name == name), None)


def parse(source: str | bytes, path: Path) -> Document:
    """Read a document; `path` only names it in messages. Raises BadDocument with every fault found."""
    problems: list[Problem] = []

    def report(line: int | None, message: str, remedy: str) -> None:
        problems.append(Problem(path, line, "", message, remedy))

    root = None
    text = _decoded(source, report)
    if text is not None:
        if len(text) > MOST_CHARACTERS:
            report(None, f"{len(text)} characters, EC2 Image Builder takes {MOST_CHARACTERS}", "split it into two")
        root = yaml_nodes.read(text, report)
    if root is not None:
        rules.check(root, report)
    if problems or root is None:
        raise BadDocument(problems)
    return _document(yaml_nodes.plain(root))


def load(path: Path) -> Document:
    """Read a document from a file. Raises BadDocument, also where the file cannot be read."""
    try:
        source = path.read_bytes()
    except OSError as error:
        problem = Problem(path, None, "", f"cannot be read: {error.strerror}", "check the path")
        raise BadDocument([problem]) from error
    return parse(source, path)


def render(document: Document) -> str:
    """Write a document as YAML; the same value always gives the same text."""
    data = {
        "name": document.name,
        "description": document.description,
        "schemaVersion": 1.0,
        "parameters": [{p.name: _without_none(_parameter(p))} for p in document.parameters] or None,
        "constants": [{c.name: {"type": "string", "value": c.value}} for c in document.constants] or None,
        "phases": [{"name": p.name, "steps": [_without_none(_step(s)) for s in p.steps]} for p in document.phases],
    }
    return yaml.dump(_without_none(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**9)


def fill(document: Document, values: Mapping[str, str]) -> Document:
    """Put parameters, with their defaults, and constants in place; chained outputs and loop variables stay.

    Raises BadDocument for a value nobody declared or a parameter without one.
    """
    declared = {parameter.name: parameter.default for parameter in document.parameters}
    label = Path(document.name or "document")
    wrong = [
        Problem(label, None, name, "no such parameter", f"declared: {', '.join(declared) or 'none'}")
        for name in values
        if name not in declared
    ]
    known = {name: values.get(name, default) for name, default in declared.items()}
    wrong += [
        Problem(label, None, name, "has neither a value nor a default", "give it in the recipe")
        for name, value in known.items()
        if value is None
    ]
    if wrong:
        raise BadDocument(wrong)
    everything = {name: value for name, value in known.items() if value is not None}
    everything |= {constant.name: constant.value for constant in document.constants}
    phases = tuple(
        replace(phase, steps=tuple(_filled(step, everything) for step in phase.steps)) for phase in document.phases
    )
    return replace(document, phases=phases, parameters=(), constants=())


def with_constant(document: Document, name: str, value: str) -> Document:
    """Give the document with one of its constants set to another value."""
    constants = tuple(replace(c, value=value) if c.name == name else c for c in document.constants)
    return replace(document, constants=constants)


def _decoded(source: str | bytes, report: yaml_nodes.Report) -> str | None:
    if isinstance(source, str):
        return source
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        report(source[: error.start].count(b"\n") + 1, "not UTF-8 text", "save the file as UTF-8")
        return None


def _document(root: Any) -> Document:
    """Build the value from data that `rules.check` has passed."""
    return Document(
        name=root.get("name"),
        description=root.get("description"),
        parameters=tuple(
            Parameter(name, body.get("default"), body.get("description"))
            for item in root.get("parameters") or ()
            for name, body in item.items()
        ),
        constants=tuple(
            Constant(name, body["value"]) for item in root.get("constants") or () for name, body in item.items()
        ),
        phases=tuple(
            Phase(
                phase["name"],
                tuple(
                    Step(
                        name=step["name"],
                        action=step["action"],
                        inputs=step.get("inputs"),
                        timeout_s=step.get("timeoutSeconds"),
                        on_failure=step.get("onFailure"),
                        max_attempts=step.get("maxAttempts"),
                        condition=step.get("if"),
                        loop=step.get("loop"),
                    )
                    for step in phase["steps"]
                ),
            )
            for phase in root["phases"]
        ),
    )


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {"type": "string", "default": parameter.default, "description": parameter.description}


def _step(step: Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "action": step.action,
        "timeoutSeconds": step.timeout_s,
        "onFailure": step.on_failure,
        "maxAttempts": step.max_attempts,
        "if": step.condition,
        "loop": step.loop,
        "inputs": step.inputs,
    }


def _without_none(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if value is not None}


def _filled(step: Step, values: Mapping[str, str]) -> Step:
    return replace(
        step,
        inputs=references.filled(step.inputs, values),
        loop=references.filled(step.loop, values),
        condition=references.filled(step.condition, values),
    )


class _Dumper(yaml.SafeDumper):
    """Scripts as block scalars, every `{{ }}` quoted as AWSTOE wants it, no YAML aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else "'" if "{{" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
