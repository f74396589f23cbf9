"""Judge the inputs of a step by the kind of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.imagebuilder import conditions
from localcloud.imagebuilder.actions import ACTIONS
from localcloud.imagebuilder.files import ENCODINGS
from localcloud.imagebuilder.transfers import CHECKSUMS


def fault(name: str, inputs: Any) -> str | None:
    """What AWSTOE would say against an action's inputs, or None."""
    action = ACTIONS[name]
    if name == "Assert":
        return conditions.fault(inputs, with_branches=False)
    if action.listed:
        if not isinstance(inputs, list) or not inputs:
            return f"the inputs of {name} are a list"
        items = inputs
    else:
        items = [{} if inputs is None else inputs]
    found = (_item_fault(name, item) for item in items)
    return next((f"the inputs of {name} {what}" for what in found if what), None)


def _item_fault(name: str, item: Any) -> str | None:
    action = ACTIONS[name]
    if not isinstance(item, Mapping):
        return "are named values"
    lacking = action.required - item.keys()
    if lacking:
        return f"lack {', '.join(sorted(lacking))}"
    unknown = item.keys() - action.required - action.optional
    if unknown:
        return f"cannot hold {', '.join(sorted(unknown))}"
    if name == "ExecutePowerShell" and len(item) != 1:
        return "are either commands or file"
    for key, value in item.items():
        if not _KINDS.get(key, _is_text)(value):
            return f"cannot have {value!r} as {key}"
    if name == "SetRegistry" and not _one_of("BINARY", "DWORD", "QWORD", "SZ", "EXPAND_SZ", "MULTI_SZ")(item["type"]):
        return f"cannot have {item['type']!r} as type"
    return None


def _is_open(value: Any) -> bool:
    """Whether only a run can tell what the value is."""
    return isinstance(value, str) and "{{" in value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or value in ("true", "false") or _is_open(value)


def _is_delay(value: Any) -> bool:
    return _is_open(value) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_script(value: Any) -> bool:
    return _is_list(value) and len(value) > 0


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, value.values()))


def _are_parameters(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, Mapping) and item.keys() == {"name", "value"} and _is_list(list(item.values()))
        for item in value
    )


def _is_registry_value(value: Any) -> bool:
    items = value if isinstance(value, list) else [value]
    return bool(items) and all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in items)


def _one_of(*choices: str) -> Callable[[Any], bool]:
    lower = {choice.lower() for choice in choices}
    return lambda value: _is_open(value) or (isinstance(value, str) and value.lower() in lower)


_KINDS: dict[str, Callable[[Any], bool]] = {
    "allowUnsignedInstaller": _is_flag,
    "algorithm": _one_of(*CHECKSUMS),
    "arguments": _is_list,
    "commands": _is_script,
    "delaySeconds": _is_delay,
    "encoding": _one_of(*ENCODINGS),
    "exclude": _is_list,
    "force": _is_flag,
    "ignoreAuthenticodeSignatureErrors": _is_flag,
    "ignoreCertificateErrors": _is_flag,
    "include": _is_list,
    "overwrite": _is_flag,
    "parameters": _are_parameters,
    "printFileContent": _is_flag,
    "properties": _is_table,
    "reboot": _one_of("Allow", "Force", "Skip"),
    "recurse": _is_flag,
    "recursive": _is_flag,
    "value": _is_registry_value,
}
