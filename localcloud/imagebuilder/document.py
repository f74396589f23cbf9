"""Read a component document as AWSTOE does, refusing what it would refuse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from localcloud.imagebuilder import conditions, inputs, yaml_lines
from localcloud.imagebuilder.actions import ACTIONS

DEFAULT_TIMEOUT_S = 7200.0
_CHARACTERS = 64_000  # an account's default quota


class DocumentRefused(Exception):
    """AWSTOE would not take the document; the message begins with the line."""


class OnFailure(StrEnum):
    """What a failed step means for the rest."""

    ABORT = "Abort"
    CONTINUE = "Continue"
    IGNORE = "Ignore"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a recipe may or, without a default, must set."""

    name: str
    default: str | None
    description: str | None


@dataclass(frozen=True, slots=True)
class Loop:
    """How often a step is run; `spec` is the `for` or `forEach` part, its references still unfilled."""

    name: str | None
    kind: str
    spec: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One action with its inputs; `timeout_s` None means without end."""

    name: str
    action: str
    inputs: Any
    timeout_s: float | None
    on_failure: OnFailure
    max_attempts: int
    condition: Any
    loop: Loop | None


@dataclass(frozen=True, slots=True)
class Phase:
    """A named list of steps."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A component document, checked."""

    parameters: tuple[Parameter, ...]
    constants: dict[str, str]
    phases: tuple[Phase, ...]

    def phase(self, name: str) -> Phase | None:
        """The phase of that name."""
        return next((phase for phase in self.phases if phase.name == name), None)


def parse(text: str) -> Document:
    """Read and check a document; raises DocumentRefused with the first fault's line."""
    if len(text) > _CHARACTERS:
        raise _fault(1, f"the document has more than {_CHARACTERS} characters")
    try:
        content = yaml_lines.load(text)
    except yaml_lines.Unreadable as error:
        raise _fault(error.line, error.message) from error
    top = _mapping(content, 1, "the document")
    _keys(top, "the document", required={"schemaVersion", "phases"}, optional=_TOP)
    if str(top["schemaVersion"]) != "1.0":
        raise _fault(top.lines["schemaVersion"], f"schemaVersion must be 1.0, not {top['schemaVersion']}")
    for key in ("name", "description"):
        if key in top and (not isinstance(top[key], str) or not top[key]):
            raise _fault(top.lines[key], f"the document's {key} is a string")
    parameters = tuple(_parameter(item, top.lines["parameters"]) for item in _list(top, "parameters"))
    constants = dict(_constant(item, top.lines["constants"]) for item in _list(top, "constants"))
    _no_twice([*(parameter.name for parameter in parameters), *constants], top.line, "parameter or constant")
    phases = tuple(_phase(item, top.lines["phases"]) for item in _list(top, "phases"))
    _no_twice([phase.name for phase in phases], top.lines["phases"], "phase")
    if not any(phase.name in _PHASES[:3] for phase in phases):
        raise _fault(top.lines["phases"], f"at least one phase of {', '.join(_PHASES[:3])} is needed")
    return Document(parameters, constants, phases)


_TOP = {"name", "description", "parameters", "constants"}
_PHASES = ("build", "validate", "test", "container-host-test")
_STEP = {"timeoutSeconds", "onFailure", "maxAttempts", "if", "loop", "inputs"}
_DELIMITERS = ".,;:\n\t -_"
_NAME = re.compile(r"[A-Za-z0-9_-]{3,128}")
_LABEL = re.compile(r"[^\x00-\x1f{}]{1,128}")


def _phase(item: Any, line: int) -> Phase:
    phase = _mapping(item, line, "a phase")
    _keys(phase, "a phase", required={"name", "steps"}, optional=set())
    if phase["name"] not in _PHASES:
        raise _fault(phase.lines["name"], f"phase '{phase['name']}' is none of {', '.join(_PHASES)}")
    steps = tuple(_step(step, phase.lines["steps"]) for step in _list(phase, "steps"))
    _no_twice([step.name for step in steps], phase.line, f"step of phase {phase['name']}")
    loops = [step.loop.name for step in steps if step.loop is not None and step.loop.name is not None]
    _no_twice(loops, phase.line, f"loop of phase {phase['name']}")
    if not steps:
        raise _fault(phase.line, f"phase {phase['name']} has no step")
    return Phase(phase["name"], steps)


def _step(item: Any, line: int) -> Step:
    step = _mapping(item, line, "a step")
    _keys(step, "a step", required={"name", "action"}, optional=_STEP)
    name = step["name"]
    if not isinstance(name, str) or not _LABEL.fullmatch(name):
        raise _fault(step.lines["name"], f"'{name}' cannot be a step's name")
    if not isinstance(step["action"], str) or step["action"] not in ACTIONS:
        raise _fault(step.lines["action"], f"step {name}: AWSTOE has no action '{step['action']}'")
    wrong = inputs.fault(step["action"], step.get("inputs"))
    if wrong:
        raise _fault(step.lines.get("inputs", step.line), f"step {name}: {wrong}")
    return Step(
        name=name,
        action=step["action"],
        inputs=step.get("inputs"),
        timeout_s=_timeout(step),
        on_failure=_on_failure(step),
        max_attempts=_attempts(step),
        condition=_condition(step),
        loop=_loop(step),
    )


def _timeout(step: yaml_lines.Mapping) -> float | None:
    value = step.get("timeoutSeconds", int(DEFAULT_TIMEOUT_S))
    if not isinstance(value, int) or isinstance(value, bool) or value == 0 or value < -1:
        raise _fault(step.lines["timeoutSeconds"], f"step {step['name']}: timeoutSeconds is -1 or above 0")
    if step["action"] == "ExecuteDocument":
        if value != -1 and "timeoutSeconds" in step:
            raise _fault(step.lines["timeoutSeconds"], f"step {step['name']}: ExecuteDocument has no time limit but -1")
        return None
    return None if value == -1 else float(value)


def _on_failure(step: yaml_lines.Mapping) -> OnFailure:
    try:
        return OnFailure(step.get("onFailure", OnFailure.ABORT))
    except ValueError:
        choices = ", ".join(OnFailure)
        raise _fault(step.lines["onFailure"], f"step {step['name']}: onFailure is one of {choices}") from None


def _attempts(step: yaml_lines.Mapping) -> int:
    value = step.get("maxAttempts", 1)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _fault(step.lines["maxAttempts"], f"step {step['name']}: maxAttempts is a number above 0")
    if value > 1 and step["action"] == "ExecuteDocument":
        raise _fault(step.lines["maxAttempts"], f"step {step['name']}: ExecuteDocument has one attempt")
    return value


def _condition(step: yaml_lines.Mapping) -> Any:
    condition = step.get("if")
    fault = conditions.fault(condition) if "if" in step else None
    if fault:
        raise _fault(step.lines["if"], f"step {step['name']}: {fault}")
    return condition


def _loop(step: yaml_lines.Mapping) -> Loop | None:
    if "loop" not in step:
        return None
    line = step.lines["loop"]
    loop = _mapping(step["loop"], line, "a loop")
    kinds = loop.keys() & {"for", "forEach"}
    if len(kinds) != 1 or loop.keys() - {"for", "forEach", "name"}:
        raise _fault(line, f"step {step['name']}: a loop has one of for, forEach and perhaps a name")
    if "name" in loop and not (isinstance(loop["name"], str) and _LABEL.fullmatch(loop["name"])):
        raise _fault(loop.lines["name"], f"step {step['name']}: '{loop['name']}' cannot be a loop's name")
    kind = kinds.pop()
    fault = (_for_fault if kind == "for" else _for_each_fault)(loop[kind])
    if fault:
        raise _fault(loop.lines[kind], f"step {step['name']}: {kind} {fault}")
    return Loop(loop.get("name"), kind, loop[kind])


def _for_fault(spec: Any) -> str | None:
    if not isinstance(spec, dict) or spec.keys() != {"start", "end", "updateBy"}:
        return "needs start, end and updateBy"
    if any(not isinstance(value, int) or isinstance(value, bool) for value in spec.values()):
        return "has whole numbers as its bounds"
    distance, by = spec["end"] - spec["start"], spec["updateBy"]
    return "has no end" if by == 0 or distance * by < 0 else None


def _for_each_fault(spec: Any) -> str | None:
    if isinstance(spec, list):
        return None if spec and _texts(spec) else "needs a list of strings"
    if not isinstance(spec, dict) or "list" not in spec or spec.keys() - {"list", "delimiter"}:
        return "needs a list, or list and perhaps delimiter"
    if not isinstance(spec["list"], str):
        return "needs a string as list"
    delimiter = spec.get("delimiter", ",")
    known = isinstance(delimiter, str) and len(delimiter) == 1 and delimiter in _DELIMITERS
    return None if known else f"has no such delimiter as {delimiter!r}"


def _parameter(item: Any, line: int) -> Parameter:
    name, spec = _named(item, line, "parameter")
    _keys(spec, f"parameter {name}", required={"type"}, optional={"default", "description"})
    if spec["type"] != "string":
        raise _fault(spec.lines["type"], f"parameter {name}: the type is string")
    default = spec.get("default")
    if "default" in spec and not isinstance(default, str):
        raise _fault(spec.lines["default"], f"parameter {name}: the default is a string; put it in quotes")
    if not isinstance(spec.get("description", ""), str):
        raise _fault(spec.lines["description"], f"parameter {name}: the description is a string")
    return Parameter(name, default, spec.get("description"))


def _constant(item: Any, line: int) -> tuple[str, str]:
    name, spec = _named(item, line, "constant")
    _keys(spec, f"constant {name}", required={"type", "value"}, optional=set())
    if spec["type"] != "string" or not isinstance(spec["value"], str):
        raise _fault(spec.line, f"constant {name}: type is string, value a string in quotes")
    return name, spec["value"]


def _named(item: Any, line: int, what: str) -> tuple[str, yaml_lines.Mapping]:
    outer = _mapping(item, line, f"a {what}")
    if len(outer) != 1:
        raise _fault(outer.line, f"a {what} is one name with its type nested below it")
    name = next(iter(outer))
    if not _NAME.fullmatch(name):
        raise _fault(outer.line, f"'{name}' cannot be a {what}'s name: 3 to 128 of A-Z a-z 0-9 _ -")
    return name, _mapping(outer[name], outer.line, f"{what} {name}")


def _mapping(value: Any, line: int, what: str) -> yaml_lines.Mapping:
    if not isinstance(value, yaml_lines.Mapping):
        raise _fault(line, f"{what} must be named values")
    return value


def _list(mapping: yaml_lines.Mapping, key: str) -> list[Any]:
    value = mapping.get(key, [])
    if not isinstance(value, list):
        raise _fault(mapping.lines[key], f"{key} must be a list")
    return value


def _keys(mapping: yaml_lines.Mapping, what: str, *, required: set[str], optional: set[str]) -> None:
    for key in mapping:
        if key not in required | optional:
            raise _fault(mapping.lines[key], f"{what} cannot hold '{key}'")
    for key in sorted(required - mapping.keys()):
        raise _fault(mapping.line, f"{what} lacks '{key}'")


def _no_twice(names: list[str], line: int, what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _fault(line, f"the {what} '{name}' is there twice")


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _fault(line: int, message: str) -> DocumentRefused:
    return DocumentRefused(f"line {line}: {message}")
