"""Say what pydantic found wrong with a section in an organiser's words."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.event import Dispatcher, Hooks, Ramp, Worker
from contracts.event_file.complete import FOLDERS
from contracts.event_file.findings import Findings, Loc
from contracts.event_values import FAULT
from contracts.infra import (
    Budget,
    DaskCluster,
    Fleet,
    FolderKit,
    Gateway,
    GitKit,
    Image,
    Infra,
    Network,
    OwnComponent,
    PrivateData,
    Requirements,
    S3Kit,
    Storage,
    WayOut,
)

M = TypeVar("M", bound=BaseModel)

REFERENCE = "docs/reference/event-file.md"
SECTIONS = ("ramp", "worker", "dispatcher", "infra", "database_url", "sqlalchemy", "flask")
_STAND_INS = {"problem_name": "unnamed", "event_name": "unnamed", "worker_type": "unknown:Unknown"}
_KIT: Loc = ("infra", "image", "kit")
_KEYS: dict[Loc, tuple[str, ...]] = {
    (): SECTIONS,
    ("ramp",): (*Ramp.model_fields, "deployment_dir"),
    ("worker",): (*Worker.model_fields, *FOLDERS),
    ("worker", "hooks"): tuple(Hooks.model_fields),
    ("dispatcher",): tuple(Dispatcher.model_fields),
    ("infra",): tuple(Infra.model_fields),
    ("infra", "network"): tuple(Network.model_fields),
    ("infra", "host_egress"): tuple(WayOut.model_fields),
    ("infra", "gateway"): tuple(Gateway.model_fields),
    ("infra", "fleet"): tuple(Fleet.model_fields),
    ("infra", "fleet", "requirements"): tuple(Requirements.model_fields),
    ("infra", "dask"): tuple(DaskCluster.model_fields),
    ("infra", "storage"): tuple(Storage.model_fields),
    ("infra", "budget"): tuple(Budget.model_fields),
    ("infra", "image"): tuple(Image.model_fields),
    ("infra", "image", "private_data"): tuple(PrivateData.model_fields),
    ("infra", "image", "components"): tuple(OwnComponent.model_fields),
    _KIT: (*GitKit.model_fields, *S3Kit.model_fields, *FolderKit.model_fields),
    ("sqlalchemy",): ("drivername", "username", "password", "host", "port", "database"),
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than {:g}", "write a larger number"),
    "greater_than_equal": ("ge", "must be at least {:g}", "write a larger number"),
    "less_than_equal": ("le", "must be at most {:g}", "write a smaller number"),
    "string_too_long": ("max_length", "is longer than {:g} characters", "shorten it"),
    "too_long": ("max_length", "has more than {:g} entries", "leave some out"),
    "too_short": ("min_length", "has less than {:g} entries", "write one, like [you@example.org]"),
}
_TYPES = {
    "int": ("must be a whole number", "write a number without a point, like 2"),
    "float": ("must be a number", "write a number, like 7200"),
    "finite": ("must be a finite number", "write a number, like 7200"),
    "bool": ("is neither true nor false", "write true or false"),
    "path": ("must be a path", "write a file's or folder's path"),
    "model": ("must hold keys of its own", "write its keys below it, indented"),
    "dict": ("must hold names with a text each", "write them below it, indented, like osf: token of the data's owner"),
    "tuple": ("must be a list", "write it in brackets, like [first, second]"),
    "ip": ("is not a range of IPv4 addresses", "write it like 203.0.113.0/24, or 203.0.113.7/32"),
}


def checked(
    model: type[M], value: object, loc: Loc, findings: Findings, origin: Mapping[Loc, Loc] | None = None
) -> M | None:
    """Make a section from its values, noting all that is wrong with them.

    With faults the section holds the values that are right, so that these can be looked at further, or is None.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faulty: set[str | int] = set()
        for details in error.errors(include_url=False):
            faulty.update(details["loc"][:1])
            place = _place((*loc, *details["loc"]))
            message, remedy = _told(details, place)
            findings.add((origin or {}).get(place, place), message, remedy)
    if not isinstance(value, dict):
        return None
    stand_ins = {key: text for key, text in _STAND_INS.items() if key in faulty and key in model.model_fields}
    try:
        return model.model_validate({key: item for key, item in value.items() if key not in faulty} | stand_ins)
    except ValidationError:
        return None


def unknown_key(loc: Loc) -> tuple[str, str]:
    """Say that a key means nothing where it stands, and which was probably meant."""
    key, section = str(loc[-1]), tuple(part for part in loc[:-1] if isinstance(part, str))
    if loc == ("aws",):
        return "is a section of RAMP's older layout", "write its keys under worker:, with worker_type: aws"
    if key in _KEYS.get(section, ()):
        return "does not go with the other keys here", f"keep one way; {REFERENCE} shows each"
    close = difflib.get_close_matches(key, _KEYS.get(section, ()), n=1, cutoff=0.7)
    if close:
        return "unknown key", f"did you mean {close[0]}?"
    homes = [".".join(map(str, home)) for home, keys in _KEYS.items() if key in keys and home != section]
    if homes:
        return "unknown key here", f"it belongs under {' or '.join(home or 'the top level' for home in homes)}"
    return "unknown key", f"remove it; {REFERENCE} lists the keys"


def _place(loc: Loc) -> Loc:
    """Leave out what pydantic puts between the keys: the kit's kind, and that a key is meant and not its value."""
    loc = tuple(part for part in loc if part != "[key]")
    return (*_KIT, *loc[4:]) if loc[:3] == _KIT and loc[3:4] in (("git",), ("s3",), ("folder",)) else loc


def _told(details: ErrorDetails, loc: Loc) -> tuple[str, str]:
    kind, context = details["type"], details.get("ctx", {})
    if kind == FAULT:
        return context["message"], context["remedy"]
    if kind == "extra_forbidden":
        return unknown_key(loc)
    if kind == "missing":
        return "is missing", f"write {loc[-1]}: and its value"
    if kind in _BOUNDS:
        name, sentence, remedy = _BOUNDS[kind]
        return sentence.format(context[name]), remedy
    if kind == "string_too_short":
        return "is empty", "write its value, or leave the key out"
    if kind == "string_type":
        return f"must be text, but YAML reads {_yaml_type(details['input'])}", "put it in quotes"
    return _TYPES.get(kind.partition("_")[0], ("has a wrong value", f"see {REFERENCE}"))


def _yaml_type(value: object) -> str:
    match value:
        case bool():
            return "true or false (as it does yes, no, on, off)"
        case int() | float():
            return "a number"
        case datetime.date():
            return "a date"
        case list() | tuple():
            return "a list"
        case dict():
            return "keys below it"
        case _:
            return "something else"
