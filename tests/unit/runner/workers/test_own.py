"""An organiser's own worker is found by its name, given RAMP's configuration, and driven to its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import AskedWrongly, BadConfiguration, CommandFailed, HostGone, RunLost
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.work import Claimed, JobEnd, Launched, Provisioned, Work
from runner.workers import BaseWorker, driving
from runner.workers.own import OwnWorkers, WorkerBroken, own_workers, worker_config

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EVENT = "ramp: {problem_name: iris, event_name: iris}\nworker:\n  worker_type: "


class Scripted(BaseWorker):
    """A worker that finishes at the third look, unless its configuration says otherwise."""

    def __init__(self, config: dict[str, Any], submission: str) -> None:
        super().__init__(config, submission)
        self.looks = 0
        self.torn_down = 0

    def setup(self) -> None:
        if "setup" in self.config:
            raise OSError(self.config["setup"])
        super().setup()

    def launch_submission(self) -> None:
        if not self.config.get("forgets_super"):
            super().launch_submission()
        self.status = self.config.get("launched", self._status)

    def _is_submission_finished(self) -> bool:
        self.looks += 1
        return self.looks >= int(self.config.get("looks", 3))

    def _is_submission_interrupted(self) -> bool:
        return bool(self.config.get("interrupted"))

    def collect_results(self) -> Any:
        super().collect_results()
        if "log" in self.config:
            folder = Path(self.config["logs_dir"], self.submission)
            folder.mkdir(parents=True)
            (folder / "log").write_bytes(self.config["log"])
        return self.config.get("answer", (1, "it raised"))

    def teardown(self) -> None:
        self.torn_down += 1
        super().teardown()
        if self.config.get("teardown"):
            raise OSError("it clings")


@pytest.fixture
def event(tmp_path: Path) -> Callable[[str], EventConfig]:
    """Make an event of this worker type, with what else its section says."""
    kit = tmp_path / "ramp-kits" / "iris"
    kit.mkdir(parents=True)
    (kit / "problem.py").touch()
    path = tmp_path / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True)

    def make(worker: str) -> EventConfig:
        path.write_text(EVENT + worker)
        return load_event(path, environ={"HOME": str(tmp_path)})

    return make


@pytest.fixture
def provisioned(event: Callable[[str], EventConfig], tmp_path: Path) -> Callable[..., tuple[OwnWorkers, Provisioned]]:
    """Make a pool of scripted workers, and one of them."""

    def make(timeout_s: float = 60.0, **config: object) -> tuple[OwnWorkers, Provisioned]:
        pool = OwnWorkers(event("mine:Scripted\n"), lambda given, submission: Scripted({**given, **config}, submission))
        folders = (tmp_path / "submissions" / "submission_000000007", tmp_path / "events" / "iris" / "logs")
        work = Work(7, "iris", "blue", "trees", 2, *folders, tmp_path / "events" / "iris" / "predictions", timeout_s)
        return pool, pool.acquire(Claimed(work, NOW))

    return make


Make = Callable[..., tuple[OwnWorkers, Provisioned]]


def scripted(pool: OwnWorkers, provisioned: Provisioned) -> Scripted:
    worker = pool.worker_of(provisioned)
    assert isinstance(worker, Scripted)
    return worker


def launched(pool: OwnWorkers, provisioned: Provisioned) -> Launched:
    return driving.launch(scripted(pool, provisioned), provisioned, lambda: NOW)


def test_a_worker_goes_through_ramps_states(provisioned: Make) -> None:
    pool, host = provisioned(answer=(0, ""), log=b"\x1b[31mtrained")
    worker = scripted(pool, host)
    assert worker.status == "setup"
    started = launched(pool, host)
    assert worker._status == "running"
    slept: list[float] = []
    finished = driving.wait(worker, started, slept.append, interval_s=0.5)
    assert (finished.exit.end, worker.status, slept) == (JobEnd.EXITED, "finished", [0.5])
    pulled = driving.collect(worker, finished)
    assert pulled.finished.exit.code == 0
    assert pulled.log_path.read_text() == "trained"
    assert pulled.output_dir is None
    pool.release(host)
    pool.release(host)
    assert (worker.status, worker.torn_down) == ("killed", 1)
    assert pool.is_gone(host)


def test_without_a_log_the_workers_own_word_is_the_log(provisioned: Make) -> None:
    pool, host = provisioned()
    finished = driving.wait(scripted(pool, host), launched(pool, host), lambda _: None, interval_s=0.5)
    pulled = driving.collect(scripted(pool, host), finished)
    assert (pulled.finished.exit.code, pulled.log_path.read_text()) == (1, "it raised")


def test_results_of_an_earlier_run_do_not_pass_for_this_ones(provisioned: Make) -> None:
    pool, host = provisioned()
    work = host.claimed.work
    forged, old = work.submission_dir / "training_output", work.predictions_dir / work.submission_key
    forged.mkdir(parents=True)
    old.mkdir(parents=True)
    finished = driving.wait(scripted(pool, host), launched(pool, host), lambda _: None, interval_s=0.5)
    assert not forged.exists()
    assert driving.collect(scripted(pool, host), finished).output_dir is None


def test_a_submission_past_its_time_is_ended_by_the_teardown(provisioned: Make) -> None:
    pool, host = provisioned(timeout_s=0.0, looks=99)
    finished = driving.wait(scripted(pool, host), launched(pool, host), lambda _: None, interval_s=0.5)
    assert (finished.exit.end, scripted(pool, host).status) == (JobEnd.TIMEOUT, "timeout")
    assert "ended before" in driving.collect(scripted(pool, host), finished).log_path.read_text()


def test_a_worker_that_lost_its_submission_asks_for_another_attempt(provisioned: Make) -> None:
    pool, host = provisioned(interrupted=True)
    with pytest.raises(HostGone):
        launched(pool, host)


@pytest.mark.parametrize(
    ("config", "error", "says"),
    [
        ({"launched": "retry"}, HostGone, "another attempt"),
        ({"launched": "error"}, CommandFailed, "could not start"),
        ({"forgets_super": True}, WorkerBroken, "super"),
    ],
)
def test_what_a_worker_is_after_its_launch_decides(
    provisioned: Make, config: dict[str, object], error: type[Exception], says: str
) -> None:
    pool, host = provisioned(**config)
    with pytest.raises(error, match=says):
        launched(pool, host)


@pytest.mark.parametrize("answer", [None, "0", (None, ""), (0,)])
def test_an_answer_that_is_no_exit_code_and_message_is_the_organisers_error(provisioned: Make, answer: object) -> None:
    pool, host = provisioned(answer=answer)
    finished = driving.wait(scripted(pool, host), launched(pool, host), lambda _: None, interval_s=0.5)
    with pytest.raises(WorkerBroken, match="exit code and the error message"):
        driving.collect(scripted(pool, host), finished)


def test_a_setup_that_raises_is_torn_down_and_told(provisioned: Make, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WorkerBroken, match=r"mine:Scripted: setup\(\) raised OSError: no quota"):
        provisioned(setup="no quota", teardown=True)
    assert "teardown() raised OSError: it clings" in caplog.text


def test_a_run_whose_worker_died_with_another_dispatcher_is_lost(
    provisioned: Make, event: Callable[[str], EventConfig]
) -> None:
    _, host = provisioned()
    with pytest.raises(RunLost):
        OwnWorkers(event("mine:Scripted\n"), Scripted).worker_of(host)


def test_results_cannot_be_collected_before_a_launch(provisioned: Make) -> None:
    pool, host = provisioned()
    with pytest.raises(ValueError, match="launch_submission"):
        scripted(pool, host).collect_results()


def test_a_worker_is_handed_what_ramp_hands_to_one(event: Callable[[str], EventConfig], tmp_path: Path) -> None:
    iris = event("mine:Scripted\n  image: debian\n  sizes: [1, 2]\n  timeout: 30\n  logs_dir: here\n")
    events = tmp_path / "events" / "iris"
    assert worker_config(iris) == {
        "worker_type": "mine:Scripted", "image": "debian", "sizes": [1, 2], "timeout": 30.0, "n_threads": None,
        "event_name": "iris", "problem_name": "iris", "kit_dir": str(tmp_path / "ramp-kits" / "iris"),
        "data_dir": str(tmp_path / "ramp-kits" / "iris"), "submissions_dir": str(events / "submissions"),
        "predictions_dir": str(events / "predictions"), "logs_dir": str(tmp_path / "here"),
    }  # fmt: skip


def test_a_key_that_has_a_meaning_here_is_still_checked(event: Callable[[str], EventConfig]) -> None:
    with pytest.raises(BadConfiguration, match=r"worker\.timeout"):
        event("mine:Scripted\n  timeout: soon\n")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write a module into the deployment folder; what importing it leaves behind is undone."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text: str) -> None:
        (tmp_path / "module_of_a_test.py").write_text("from runner.workers import BaseWorker\n" + text)
        monkeypatch.delitem(sys.modules, "module_of_a_test", raising=False)

    return write


def test_a_class_in_the_deployment_folder_is_found(
    event: Callable[[str], EventConfig], module: Callable[[str], None]
) -> None:
    module(
        "class Mine(BaseWorker):\n"
        "    def launch_submission(self): ...\n"
        "    def collect_results(self): ...\n"
        "    def _is_submission_finished(self): ...\n"
    )
    assert isinstance(own_workers(event("module_of_a_test:Mine\n")), OwnWorkers)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Mine = 1\n", "is no subclass"),
        ("class Mine: ...\n", "is no subclass"),
        ("class Mine(BaseWorker): ...\n", "lacks _is_submission_finished, collect_results, launch_submission"),
        ("", "AttributeError"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_what_is_no_worker_is_refused_before_any_work(
    event: Callable[[str], EventConfig], module: Callable[[str], None], text: str, says: str
) -> None:
    module(text)
    with pytest.raises(AskedWrongly, match=says):
        own_workers(event("module_of_a_test:Mine\n"))
