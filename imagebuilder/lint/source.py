"""See a component document as the checks do: variables, steps and scripts with their lines, however broken it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from imagebuilder.documents.yaml_nodes import Entry, Listing, Mapping, Node, Scalar
from imagebuilder.lint import calls
from imagebuilder.lint.calls import Script


@dataclass(frozen=True, slots=True)
class Variable:
    """A constant, or a parameter with its default; `value` is None where there is none."""

    name: str
    line: int
    is_parameter: bool
    value: str | None
    value_line: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the document; `lines` are the file's line for each line of it."""

    value: str
    lines: tuple[int, ...]

    def line_at(self, offset: int) -> int:
        """Give the line of the file in which the text's character number `offset` stands."""
        return self.lines[min(self.value.count("\n", 0, offset), len(self.lines) - 1)]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a phase, whose name is given in lower case. `script` is that of ExecuteBash.

    `texts` are all texts of its inputs, `entries` those of an action that takes a list or the one mapping of inputs.
    """

    phase: str
    name: str
    line: int
    action: str
    timeout: Node | None
    texts: tuple[Text, ...]
    entries: tuple[Mapping, ...]
    script: Script | None


@dataclass(frozen=True, slots=True)
class Source:
    """A document as far as it can be made out. `phases` are the names and lines of the phases, in lower case."""

    text: str
    variables: tuple[Variable, ...] = ()
    phases: tuple[tuple[str, int], ...] = ()
    steps: tuple[Step, ...] = ()


def see(text: str, root: Node | None) -> Source:
    """Make out what a document holds. `root` is its tree, None where its text is no YAML."""
    if not isinstance(root, Mapping):
        return Source(text)
    variables = (*_variables(root, "parameters"), *_variables(root, "constants"))
    constants = {one.name: one.value for one in variables if not one.is_parameter and one.value is not None}
    phases: list[tuple[str, int]] = []
    steps: list[Step] = []
    for phase in _mappings(root.get("phases")):
        name = _said(phase.get("name")).lower()
        phases.append((name, phase.line))
        steps.extend(_step(name, step, constants) for step in _mappings(phase.get("steps")))
    return Source(text, variables, tuple(phases), tuple(steps))


def texts(node: Node | None) -> Iterator[Text]:
    """Give every text below a node."""
    match node:
        case Scalar(value=str() as value):
            count = value.count("\n") + 1
            first = node.line + 1
            yield Text(value, tuple(range(first, first + count)) if node.is_literal else (node.line,) * count)
        case Listing():
            for item in node.items:
                yield from texts(item)
        case Mapping():
            for entry in node.entries:
                yield from texts(entry.node)


def _variables(root: Mapping, section: str) -> tuple[Variable, ...]:
    """Read `- Name:` with what stands below it, or by mistake beside it."""
    found = []
    for item in _mappings(root.get(section)):
        if not item.entries:
            continue
        first = item.entries[0]
        body = first.node if isinstance(first.node, Mapping) else item
        value = body.get("default" if section == "parameters" else "value")
        is_value = isinstance(value, Scalar) and value.value is not None
        found.append(
            Variable(
                name=first.key,
                line=first.line,
                is_parameter=section == "parameters",
                value=_said(value) if is_value else None,
                value_line=value.line if value else first.line,
            )
        )
    return tuple(found)


def _step(phase: str, step: Mapping, constants: dict[str, str]) -> Step:
    inputs = step.get("inputs")
    action = _said(step.get("action"))
    entries = (inputs,) if isinstance(inputs, Mapping) else tuple(_mappings(inputs))
    commands = inputs.get("commands") if isinstance(inputs, Mapping) and action == "ExecuteBash" else None
    return Step(
        phase=phase,
        name=_said(step.get("name")),
        line=step.line,
        action=action,
        timeout=step.get("timeoutSeconds"),
        texts=tuple(texts(inputs)),
        entries=entries,
        script=_script(commands, constants) if commands is not None else None,
    )


def _script(commands: Node, constants: dict[str, str]) -> Script:
    """Join the commands as AWSTOE does: they are one script."""
    parts = list(texts(commands))
    lines: list[int] = []
    for part in parts:
        # a block that ends with a line end has no line behind it
        lines.extend(part.lines[: part.value.removesuffix("\n").count("\n") + 1])
    return calls.script("\n".join(part.value.removesuffix("\n") for part in parts), tuple(lines), constants)


def _mappings(node: Node | None) -> Iterator[Mapping]:
    if isinstance(node, Listing):
        yield from (item for item in node.items if isinstance(item, Mapping))


def _said(node: Node | None) -> str:
    return str(node.value) if isinstance(node, Scalar) and node.value is not None else ""


def entry(mapping: Mapping, key: str) -> Entry | None:
    """Give an entry of a mapping with its line."""
    return next((one for one in mapping.entries if one.key == key), None)
