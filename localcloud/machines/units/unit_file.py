"""Read unit files, as far as emulated machines follow them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

_TRUE, _FALSE = ("1", "yes", "true", "on"), ("0", "no", "false", "off")
_UNITS_S = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
_TIME = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)")
# what says how a unit is told about, ordered or counted, and what nothing in an emulated machine answers to
_QUIET = frozenset(
    (
        *("Description", "Documentation", "Wants", "After", "Before", "Requires", "StartLimitIntervalSec"),
        *("StartLimitBurst", "StandardOutput", "StandardError", "SyslogIdentifier", "RequiredBy", "Alias"),
    )
)


_Choice = TypeVar("_Choice", bound=StrEnum)


class UnitError(Exception):
    """A unit that cannot be run; the text says why."""


class Restart(StrEnum):
    """When a service whose main process ended by itself is started again."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class KillMode(StrEnum):
    """Whom a stop ends."""

    CONTROL_GROUP = "control-group"
    PROCESS = "process"


@dataclass(frozen=True, slots=True)
class Service:
    """A `.service` of Type=simple; `ignored` are the settings it has and nobody follows here."""

    command: tuple[str, ...]
    user: str = "root"
    group: str | None = None
    state_folders: tuple[str, ...] = ()
    state_mode: int = 0o755
    folder: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    restart: Restart = Restart.NO
    restart_s: float = 0.1
    stop_s: float = 90.0
    kill_mode: KillMode = KillMode.CONTROL_GROUP
    no_new_privileges: bool = False
    wanted_by: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PathUnit:
    """A `.path`: starts `service` when one of `paths` is there."""

    paths: tuple[str, ...]
    service: str
    wanted_by: tuple[str, ...] = ()


def read(name: str, text: str) -> Service | PathUnit:
    """Give the unit of that name and text; raises UnitError for what would not be the same unit here."""
    settings = list(_settings(text))
    if name.endswith(".path"):
        return _path(name, settings)
    return _service(settings)


def _service(settings: list[tuple[str, str]]) -> Service:
    given = dict(settings)
    kind = given.pop("Type", "simple")
    if kind not in ("simple", "exec"):
        raise UnitError(f"Type={kind} is not emulated, only simple")
    if len([True for key, _ in settings if key == "ExecStart"]) != 1:
        raise UnitError("a service has one ExecStart here")
    command = tuple(shlex.split(given.pop("ExecStart")))
    if not command or not command[0].startswith("/") or "%" in " ".join(command):
        raise UnitError("ExecStart is an absolute path here, without prefix or specifier")
    followed = Service(
        command=command,
        user=given.pop("User", "root"),
        group=given.pop("Group", None),
        state_folders=tuple(given.pop("StateDirectory", "").split()),
        state_mode=int(given.pop("StateDirectoryMode", "0755"), 8),
        folder=given.pop("WorkingDirectory", None),
        environment=tuple(
            (variable.partition("=")[0], variable.partition("=")[2])
            for key, value in settings
            if key == "Environment"
            for variable in shlex.split(value)
        ),
        restart=_one_of(Restart, given.pop("Restart", "no")),
        restart_s=_seconds(given.pop("RestartSec", "100ms")),
        stop_s=_seconds(given.pop("TimeoutStopSec", "90s")),
        kill_mode=_one_of(KillMode, given.pop("KillMode", "control-group")),
        no_new_privileges=_is_true(given.pop("NoNewPrivileges", "no")),
        wanted_by=tuple(given.pop("WantedBy", "").split()),
        ignored=tuple(sorted(given.keys() - _QUIET - {"Environment"})),
    )
    for variable, _ in followed.environment:
        if not variable.isidentifier():
            raise UnitError(f"Environment={variable} names no variable")
    return followed


def _path(name: str, settings: list[tuple[str, str]]) -> PathUnit:
    paths = tuple(value for key, value in settings if key == "PathExists")
    other = {key for key, _ in settings} - _QUIET - {"PathExists", "Unit", "WantedBy"}
    if not paths or other:
        raise UnitError(f"a path unit has PathExists here, and not {', '.join(sorted(other)) or 'nothing'}")
    given = dict(settings)
    service = given.get("Unit", f"{name.removesuffix('.path')}.service")
    return PathUnit(paths, service, tuple(given.get("WantedBy", "").split()))


def _settings(text: str) -> Iterator[tuple[str, str]]:
    """Every setting in order, lines that end in a backslash joined."""
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith(("#", ";", "[")):
            key, _, value = stripped.partition("=")
            yield key.strip(), value.strip()


def _seconds(text: str) -> float:
    if text == "infinity":
        return float("inf")
    parts = _TIME.findall(text)
    if not parts or _TIME.sub("", text).strip() or any(unit and unit not in _UNITS_S for _, unit in parts):
        raise UnitError(f"'{text}' is no time that is understood here")
    return float(sum(float(number) * _UNITS_S[unit or "s"] for number, unit in parts))


def _is_true(text: str) -> bool:
    if text.lower() not in (*_TRUE, *_FALSE):
        raise UnitError(f"'{text}' is neither yes nor no")
    return text.lower() in _TRUE


def _one_of(kind: type[_Choice], text: str) -> _Choice:
    try:
        return kind(text)
    except ValueError as error:
        raise UnitError(f"{kind.__name__}={text} is not emulated, only {', '.join(kind)}") from error
