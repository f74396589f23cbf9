"""Start a RAMP deployment of the test's own: its files, its database, RAMP itself in its own environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy

from contracts.event import EventConfig
from contracts.event_file import load_event
from runner.ramp import update_leaderboards
from tests.acceptance.conftest import REPOSITORY, Answer, Deployment

PYTHON = REPOSITORY / ".venv-ramp" / "bin" / "python"
EVENT = "iris_test"
TEAM = "red_team"

_SIDE = Path(__file__).with_name("ramp_side.py")
_EVENT_FILE = """
ramp: {{problem_name: iris, event_name: iris_test, event_title: An event, event_is_public: true}}
worker:
  {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: 600, memory_limit_mib: 1024, canary: waived,
    hooks: {hooks}}}
dispatcher: {{n_workers: 2, n_threads: 1, hunger_policy: exit}}
"""
_CONFIG = """
flask: {{secret_key: abcdefghijkl, mail_server: localhost}}
sqlalchemy:
  {{drivername: postgresql, username: {username}, password: secret, host: {host}, port: 5432, database: {database}}}
"""


class RampSide:
    """A process of RAMP's own environment that answers what it is asked; see ramp_side.py for the actions."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, action: str, **arguments: Any) -> Any:
        """Do one action and give its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"action": action, "arguments": arguments}), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, f"RAMP could not do {action}: its traceback is above"
        return json.loads(answer)


@dataclass(frozen=True)
class RampDeployment:
    """A RAMP deployment whose event has a team; `side` is RAMP, `ours` runs our commands."""

    folder: Path
    url: sqlalchemy.URL
    side: RampSide
    ours: Deployment

    @property
    def event(self) -> EventConfig:
        """The event as we read it."""
        return load_event(self.folder / "events" / EVENT / "config.yml", environ={})

    def code(self, name: str) -> str:
        """The folder of one of the kit's submissions."""
        return str(self.folder / "ramp-kits" / "iris" / "submissions" / name)

    def seen(self) -> dict[str, Any]:
        """All that RAMP's functions tell of the event."""
        found: dict[str, Any] = self.side.ask("seen", event=EVENT)
        return found

    def serve(self) -> Answer:
        """Let our loop serve the queue until it is empty."""
        answer = self.ours.invoke("train-loop", "--event", EVENT)
        assert answer.exit_code == 0, answer
        return answer

    def schema(self, programs: Path) -> str:
        """What PostgreSQL tells of every table, column, constraint, index, type that is not Rampart's."""
        dumped = subprocess.run(
            [programs / "pg_dump", "--schema-only", "--exclude-table=rampart_*", "--dbname", self._libpq],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return "\n".join(line for line in dumped.stdout.splitlines() if not line.startswith(("\\", "--")))

    @property
    def _libpq(self) -> str:
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def deployed(folder: Path, url: sqlalchemy.URL) -> Iterator[RampDeployment]:
    """Lay out the files, let RAMP make the database's tables, problem, event, team."""
    shutil.copytree(
        REPOSITORY / "examples" / "iris", folder / "ramp-kits" / "iris", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "ramp-data" / "iris").mkdir(parents=True)
    (folder / "ramp-kits" / "iris" / "data").rename(folder / "ramp-data" / "iris" / "data")
    ours = Deployment(folder)
    config = folder / "config.yml"
    hooks = {"update_leaderboards": f"'{PYTHON}' '{update_leaderboards.__file__}' --config '{config}'"}
    ours.write_event(_EVENT_FILE.format(prefix=sys.prefix, hooks=json.dumps(hooks)), name=EVENT)
    told = {"username": url.username, "host": url.query["host"], "database": url.database}
    config.write_text(_CONFIG.format(**told))
    with subprocess.Popen(
        [PYTHON, _SIDE, config], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            ramp = RampDeployment(folder, url, RampSide(process), ours)
            ramp.side.ask(
                "make", event=EVENT, problem="iris", kit=str(folder / "ramp-kits" / "iris"), team=TEAM,
                data=str(folder / "ramp-data" / "iris"), submissions_dir=str(folder / "events" / EVENT / "submissions"),
            )  # fmt: skip
            yield ramp
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)
