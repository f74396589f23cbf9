"""Read a component document as AWSTOE does, refusing what it would refuse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from localcloud.imagebuilder import conditions, yaml_lines
from localcloud.imagebuilder.actions import ACTIONS

DEFAULT_TIMEOUT_S = 7200.0


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
    try:
        content = yaml_lines.load(text)
    except yaml_lines.Unreadable as error:
        raise _fault(error.line, error.message) from error
    top = _mapping(content, 1, "the document")
    _keys(top, "the document", required={"schemaVersion", "phases"}, optional=_TOP)
    if str(top["schemaVersion"]) not in ("1.0", "1"):
        raise _fault(top.lines["schemaVersion"], f"schemaVersion must be 1.0, not {top['schemaVersion']}")
    parameters = tuple(_parameter(item, top.lines["parameters"]) for item in _list(top, "parameters"))
    constants = dict(_constant(item, top.lines["constants"]) for item in _list(top, "constants"))
    _no_twice([*(parameter.name for parameter in parameters), *constants], top.line, "parameter or constant")
    phases = tuple(_phase(item, top.lines["phases"]) for item in _list(top, "phases"))
    _no_twice([phase.name for phase in phases], top.lines["phases"], "phase")
    if not phases:
        raise _fault(top.lines["phases"], "at least one phase is needed")
    return Document(parameters, constants, phases)


_TOP = {"name", "description", "parameters", "constants"}
_PHASES = ("build", "validate", "test", "container-host-test")
_STEP = {"timeoutSeconds", "onFailure", "maxAttempts", "if", "loop", "inputs"}
_LISTS = frozenset({"commands", "arguments", "include", "exclude", "phases", "parameters"})
_NAME = re.compile(r"[A-Za-z0-9_-]{3,128}")
_STEP_NAME = re.compile(r"[^\x00-\x1f{}]{1,128}")


def _phase(item: Any, line: int) -> Phase:
    phase = _mapping(item, line, "a phase")
    _keys(phase, "a phase", required={"name", "steps"}, optional=set())
    if phase["name"] not in _PHASES:
        raise _fault(phase.lines["name"], f"phase '{phase['name']}' is none of {', '.join(_PHASES)}")
    steps = tuple(_step(step, phase.lines["steps"]) for step in _list(phase, "steps"))
    _no_twice([step.name for step in steps], phase.line, f"step of phase {phase['name']}")
    if not steps:
        raise _fault(phase.line, f"phase {phase['name']} has no step")
    return Phase(phase["name"], steps)


def _step(item: Any, line: int) -> Step:
    step = _mapping(item, line, "a step")
    _keys(step, "a step", required={"name", "action"}, optional=_STEP)
    name = step["name"]
    if not isinstance(name, str) or not _STEP_NAME.fullmatch(name):
        raise _fault(step.lines["name"], f"'{name}' cannot be a step's name")
    if not isinstance(step["action"], str) or step["action"] not in ACTIONS:
        raise _fault(step.lines["action"], f"step {name}: AWSTOE has no action '{step['action']}'")
    _check_inputs(step)
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


def _check_inputs(step: yaml_lines.Mapping) -> None:
    action = ACTIONS[step["action"]]
    inputs = step.get("inputs")
    line = step.lines.get("inputs", step.line)
    if action.listed and not isinstance(inputs, list):
        raise _fault(line, f"step {step['name']}: the inputs of {step['action']} are a list")
    if action.free:
        if not isinstance(inputs, dict | list):
            raise _fault(line, f"step {step['name']}: {step['action']} needs inputs")
        return
    for one in inputs if action.listed and isinstance(inputs, list) else [inputs if inputs is not None else {}]:
        if not isinstance(one, dict):
            raise _fault(line, f"step {step['name']}: the inputs of {step['action']} are named values")
        lacking = action.required - one.keys()
        unknown = one.keys() - action.required - action.optional
        if lacking or unknown:
            what = f"lack {', '.join(sorted(lacking))}" if lacking else f"cannot hold {', '.join(sorted(unknown))}"
            raise _fault(line, f"step {step['name']}: the inputs of {step['action']} {what}")
        if "commands" in action.required and not _texts(one["commands"]):
            raise _fault(line, f"step {step['name']}: commands is a list of strings")
        for key, value in one.items():
            if isinstance(value, list) != (key in _LISTS) or isinstance(value, dict) or value is None:
                raise _fault(line, f"step {step['name']}: {key} is {'a list' if key in _LISTS else 'one value'}")


def _timeout(step: yaml_lines.Mapping) -> float | None:
    value = step.get("timeoutSeconds", int(DEFAULT_TIMEOUT_S))
    if not isinstance(value, int) or isinstance(value, bool) or value == 0 or value < -1:
        raise _fault(step.lines["timeoutSeconds"], f"step {step['name']}: timeoutSeconds is -1 or above 0")
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
    if len(kinds) != 1 or loop.keys() - {"for", "forEach", "name"} or not isinstance(loop.get("name", ""), str):
        raise _fault(line, f"step {step['name']}: a loop has one of for, forEach and perhaps a name")
    kind = kinds.pop()
    spec = loop[kind]
    needed = {"start", "end", "updateBy"} if kind == "for" else {"list", "delimiter"}
    if not (isinstance(spec, dict) and spec.keys() == needed) and not (kind == "forEach" and _texts(spec)):
        raise _fault(line, f"step {step['name']}: {kind} needs {', '.join(sorted(needed))}")
    return Loop(loop.get("name"), kind, spec)


def _parameter(item: Any, line: int) -> Parameter:
    name, spec = _named(item, line, "parameter")
    _keys(spec, f"parameter {name}", required={"type"}, optional={"default", "description"})
    if spec["type"] != "string":
        raise _fault(spec.lines["type"], f"parameter {name}: the type is string")
    default = spec.get("default")
    if default is not None and not isinstance(default, str):
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
