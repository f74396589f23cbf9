"""Run the commands a person would type, in a deployment folder of the test's own."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import warm
from tests.integration.clouds import client_of
from tests.warm import Program, Started

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Answer:
    """What a command printed."""

    exit_code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"exit code {self.exit_code}\n--- out\n{self.out}\n--- err\n{self.err}"


@dataclass
class Deployment:
    """A folder with the example challenge, where commands are run."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    _exports: dict[str, str] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    def invoke(self, *words: str, extra: Mapping[str, str] | None = None) -> Answer:
        """Run one `invoke` command to its end, in a process that begins with what it would import."""
        variables = self.variables(extra or {})
        return Answer(*warm.invoke(_here(words), folder=self.folder, variables=variables, timeout_s=120))

    def run(self, *argv: str, extra: Mapping[str, str] | None = None, timeout_s: float = 120) -> Answer:
        """Run any program to its end, in this folder."""
        done = subprocess.run(
            argv, cwd=self.folder, env=self.variables(extra or {}), capture_output=True, text=True, timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def start(self, *words: str) -> Started:
        """Start one `invoke` command and go on."""
        return warm.start(Program.INVOKE, _here(words), folder=self.folder, variables=self.variables({}))

    def exports(self) -> dict[str, str]:
        """What `eval "$(python -m localcloud env)"` puts into a shell, while a local cloud runs beside."""
        if not self._exports:
            for line in done(self.run(sys.executable, "-m", "localcloud", "env")).out.splitlines():
                (word,) = shlex.split(line.removeprefix("export "))
                name, _, value = word.partition("=")
                self._exports[name] = value
        return self._exports

    def client(self, service: str) -> Any:
        """A plain client of the local cloud that runs beside; it asks what the aws program would, and starts sooner."""
        if service not in self._clients:
            self._clients[service] = client_of(self.exports(), service)
        return self._clients[service]

    def variables(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The environment of a user's shell: nothing of AWS or Rampart but what the test says."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAMPART_"))}
        return {**mine, **self.environment, **extra}

    def write_event(self, text: str, *, name: str = "iris") -> Path:
        """Put an event file where `--event NAME` finds it."""
        path = self.folder / "events" / name / "config.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


def _here(words: Sequence[str]) -> tuple[str, ...]:
    """The words of a command that is found in this repository, whichever folder it is run in."""
    return ("--search-root", str(REPOSITORY), *words)


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    """An empty deployment with the example kit."""
    copy_example(tmp_path)
    return Deployment(tmp_path)


@pytest.fixture(scope="session")
def new_deployment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Deployment]:
    """Make a deployment with the example kit, for fixtures that live longer than a test."""

    def make(name: str) -> Deployment:
        folder = tmp_path_factory.mktemp(name)
        copy_example(folder)
        return Deployment(folder)

    return make


def copy_example(folder: Path) -> None:
    """Copy the example kit, without what runs left in it."""
    without = shutil.ignore_patterns("__pycache__", "training_output")
    shutil.copytree(REPOSITORY / "examples" / "iris", folder / "examples" / "iris", ignore=without)


@contextmanager
def running_cloud(deployment: Deployment) -> Iterator[None]:
    """A local cloud beside the deployment, started and ended as a person would."""
    cloud = deployment.start("local-cloud")
    try:
        seen = []
        for line in cloud.said:
            seen.append(line)
            if "Ctrl-C ends it" in line:
                break
        else:
            raise AssertionError(f"the local cloud did not start:\n{''.join(seen)}")
        yield
    finally:
        os.kill(cloud.pid, signal.SIGINT)
        rest = cloud.await_end(60)
        assert cloud.exit_code == 0, rest


def done(answer: Answer) -> Answer:
    """The answer of a command that did what was asked."""
    assert answer.exit_code == 0, answer
    return answer
