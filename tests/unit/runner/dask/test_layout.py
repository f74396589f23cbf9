"""The challenge is where it is on this machine, as RAMP has it, or where a worker's machine says it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clients.memory import Call, MemoryHost
from contracts.dask_machines import CERTIFICATES
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.work import HostLayout
from runner.dask.layout import layout_of
from runner.layout import LayoutMissing
from tests.unit.infra.events import OPTIONS, event_with

OURS = {"kit_dir": "/opt/kit", "data_dir": "/opt/data", "python": "/opt/env/bin/python", "ramp_test": "/opt/env/bin/rt"}
THERE = HostLayout("/opt/kit", "/opt/data", "/opt/env/bin/python", "/opt/env/bin/rt", hidden=(CERTIFICATES,))


class Machine:
    """A worker's machine with some files, and what an image says of itself."""

    def __init__(self, *files: str, says: str = "") -> None:
        self._files = files
        self._says = says
        self.host = MemoryHost({"sh": self._sh, "bash": lambda _: 1})

    def _sh(self, call: Call) -> int:
        if "layout.json" in call.argv[2]:
            call.out(f"{self._says}\n/home/ubuntu".encode())
            return 0
        return 0 if set(call.argv[4:]) <= set(self._files) else 1

    def found(self, event: EventConfig) -> HostLayout:
        return layout_of(event)(self.host.connect())


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    for name in ("python", "ramp-test"):
        (tmp_path / "env" / "bin" / name).touch(mode=0o755)
    return tmp_path / "env"


def event_of(folder: Path, **worker: Any) -> EventConfig:
    path = folder / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True)
    (folder / "kit").mkdir()
    (folder / "kit" / "problem.py").touch()
    ramp = {"problem_name": "iris", "event_name": "iris", "kit_dir": str(folder / "kit")}
    path.write_text(json.dumps({"ramp": ramp, "worker": {"worker_type": "dask", **worker}}))
    return load_event(path, environ={})


def here(folder: Path, prefix: Path, **worker: Any) -> EventConfig:
    return event_of(folder, env="venv", venv_dir=str(prefix), dask_scheduler="tcp://127.0.0.1:8786", **worker)


def test_a_machine_that_has_everything_where_we_have_it_is_used_as_ours(tmp_path: Path, prefix: Path) -> None:
    event = here(tmp_path, prefix)
    kit, programs = str(event.ramp.kit_dir), [str(prefix / "bin" / name) for name in ("python", "ramp-test")]
    found = Machine(kit, *programs, says=json.dumps(OURS)).found(event)
    assert (found.kit_dir, found.python, found.ramp_test) == (kit, *programs)
    assert str(event.deployment) in found.hidden


@pytest.mark.parametrize("missing", ["kit", "python", "ramp-test"])
def test_a_machine_that_lacks_any_of_it_is_asked_where_it_has_it(tmp_path: Path, prefix: Path, missing: str) -> None:
    event = here(tmp_path, prefix)
    files = {"kit": str(event.ramp.kit_dir), **{n: str(prefix / "bin" / n) for n in ("python", "ramp-test")}}
    del files[missing]
    assert Machine(*files.values(), says=json.dumps(OURS)).found(event) == replace(THERE, is_ours=False)


def test_workers_may_have_what_the_environment_of_this_machine_lacks(tmp_path: Path, prefix: Path) -> None:
    (prefix / "bin" / "ramp-test").unlink()
    assert Machine(says=json.dumps(OURS)).found(here(tmp_path, prefix)) == replace(THERE, is_ours=False)


def test_machines_of_a_stack_are_only_asked(tmp_path: Path) -> None:
    event = event_with(OPTIONS["dask"], tmp_path)
    event = event.model_copy(update={"worker": event.worker.model_copy(update={"worker_type": "dask"})})
    machine = Machine("/opt/kit", says=json.dumps(OURS))
    assert machine.found(event) == THERE
    assert len(machine.host.calls) == 1


def test_a_machine_that_has_no_challenge_is_refused(tmp_path: Path, prefix: Path) -> None:
    with pytest.raises(LayoutMissing):
        Machine().found(here(tmp_path, prefix))
