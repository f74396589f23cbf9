"""Complete an event file as read: RAMP's default folders, absolute paths, one place for what may be written in two."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contracts.event_file.findings import Loc

Keys = dict[str, object]
FOLDERS = ("kit_dir", "data_dir", "submissions_dir", "predictions_dir", "logs_dir")
_HOOK, _RAMPS_HOOK = "after_successful_training", "after_sucessful_training"


@dataclass
class Completed:
    """The sections as the models take them; `origin` tells where a value was written when not at its own place."""

    ramp: object
    worker: object
    dispatcher: object
    infra: object
    origin: dict[Loc, Loc] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def complete(
    data: Keys, deployment: Path, absolute: Callable[[str], Path], *, rehearsal: Path | None = None
) -> Completed:
    """Fill in what the file leaves out; a section of a wrong type is passed on for validation to refuse.

    With `rehearsal`, what runs leave lies there by default and not beside that of the real event.
    """
    completed = Completed(
        ramp=_section(data, "ramp"),
        worker=_section(data, "worker"),
        dispatcher=_section(data, "dispatcher"),
        infra=_section(data, "infra"),
    )
    ramp, worker = completed.ramp, completed.worker
    if isinstance(worker, dict):
        _paths_of(worker, ("venv_dir", "key_path", "dask_tls_dir"), absolute)
        _hooks_of(worker, completed)
    if isinstance(completed.dispatcher, dict):
        _dispatcher_of(completed.dispatcher)
    if isinstance(ramp, dict):
        ramp.pop("deployment_dir", None)
        if isinstance(worker, dict):
            _move_folders(worker, ramp, completed, absolute)
        _paths_of(ramp, FOLDERS, absolute)
        _default_folders(ramp, deployment, rehearsal or deployment / "events")
        _infra_of(completed, ramp.get("kit_dir"), absolute)
    return completed


def _section(data: Keys, name: str) -> object:
    value = without_empty(data.get(name))
    return {} if value is None else value


def without_empty(value: object) -> object:
    """A key with nothing after it counts as not written."""
    if isinstance(value, dict):
        return {key: without_empty(item) for key, item in value.items() if item is not None}
    return value


def _paths_of(section: Keys, keys: tuple[str, ...], absolute: Callable[[str], Path]) -> None:
    for key in keys:
        value = section.get(key)
        if isinstance(value, str):
            section[key] = absolute(value)


def _move_folders(worker: Keys, ramp: Keys, completed: Completed, absolute: Callable[[str], Path]) -> None:
    """RAMP's examples write the folders under `worker` too; RAMP itself lets those under `ramp` win."""
    for key in FOLDERS:
        if key not in worker:
            continue
        value = worker.pop(key)
        if key not in ramp:
            ramp[key] = value
            completed.origin["ramp", key] = ("worker", key)
        elif isinstance(value, str) and isinstance(ramp[key], str) and absolute(value) != absolute(str(ramp[key])):
            completed.warnings.append(
                f"worker.{key} is not used, because ramp.{key} says otherwise ({ramp[key]}); keep one of the two"
            )


def _default_folders(ramp: Keys, deployment: Path, results: Path) -> None:
    problem, event = ramp.get("problem_name"), ramp.get("event_name")
    problem_name = problem if isinstance(problem, str) else "unnamed"
    event_name = event if isinstance(event, str) else "unnamed"
    kit_dir = ramp.setdefault("kit_dir", deployment / "ramp-kits" / problem_name)
    data_dir = deployment / "ramp-data" / problem_name
    # A kit outside RAMP's layout carries its data with it, and that is where ramp-test looks by default.
    ramp.setdefault("data_dir", data_dir if data_dir.is_dir() or not isinstance(kit_dir, Path) else kit_dir)
    ramp["data_dir"] = _holding_data(ramp["data_dir"])
    for key in ("submissions", "predictions", "logs"):
        ramp.setdefault(f"{key}_dir", results / event_name / key)


def _holding_data(data_dir: object) -> object:
    """RAMP's documentation names the folder `data` itself; `ramp-test` takes the one that holds it."""
    if isinstance(data_dir, Path) and data_dir.name == "data" and not (data_dir / "data").is_dir():
        return data_dir.parent
    return data_dir


def _hooks_of(worker: Keys, completed: Completed) -> None:
    hooks = worker.get("hooks")
    if isinstance(hooks, dict) and _RAMPS_HOOK in hooks and _HOOK not in hooks:
        hooks[_HOOK] = hooks.pop(_RAMPS_HOOK)
        completed.origin["worker", "hooks", _HOOK] = ("worker", "hooks", _RAMPS_HOOK)


def _dispatcher_of(dispatcher: Keys) -> None:
    """RAMP counts a negative number of workers from the machine's: -1 is one for each CPU."""
    count = dispatcher.get("n_workers")
    if isinstance(count, int) and count < 0:
        dispatcher["n_workers"] = max((os.cpu_count() or 1) + 1 + count, 1)


def _infra_of(completed: Completed, kit_dir: object, absolute: Callable[[str], Path]) -> None:
    if not isinstance(completed.infra, dict):
        return
    image = completed.infra.setdefault("image", {})
    if not isinstance(image, dict):
        return
    kit = image.setdefault("kit", {"folder": kit_dir})
    if isinstance(kit, dict):
        _paths_of(kit, ("folder",), absolute)
    components = image.get("components")
    if isinstance(components, list):
        image["components"] = [_component_of(each, absolute) for each in components]


def _component_of(component: object, absolute: Callable[[str], Path]) -> object:
    """A document's path, alone or as `document`, made absolute; what is neither is left to the model."""
    named = {"document": component} if isinstance(component, str) else component
    if isinstance(named, dict):
        named = dict(named)
        _paths_of(named, ("document",), absolute)
    return named
