"""The organiser's commands learn of every run that starts, succeeds or fails, and hold up none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.work import (
    BaggedScores,
    Blame,
    Cause,
    Claimed,
    Failed,
    Finished,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Scored,
    Work,
)
from runner.interruption import Interruption
from runner.progress import RunEnded, Stage, StageStarted
from runner.telling import hook_process
from runner.telling.hooks import Hooks

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HERE = Path("/nowhere")
WORK = Work(7, "iris", "blue team", "trees", 2, HERE, Path("/logs"), HERE, 60.0)
FAILED = Failed(WORK, Blame.PARTICIPANT, Cause.RAISED, "the submission raised \x1b[31mValueError\x00")


def scored() -> Scored:
    layout = HostLayout("/k", "/k", "/python", "/ramp-test")
    provisioned = Provisioned(Claimed(WORK, NOW), HostAddress("h", "h", "me"), layout)
    finished = Finished(Launched(Pushed(provisioned, "/job"), NOW), JobExit(JobEnd.EXITED, 0, 1, 1, 1, 0))
    return Scored(Pulled(finished, HERE, None), (), BaggedScores({"valid": {"acc": [0.5, 0.75]}, "test": {}}))


SCORED = RunEnded(WORK, scored(), {})
LOST = RunEnded(WORK, None, {})


@pytest.fixture
def event(tmp_path: Path) -> Callable[[str], EventConfig]:
    """Make an event with these hooks."""
    kit = tmp_path / "ramp-kits" / "iris"
    kit.mkdir(parents=True)
    (kit / "problem.py").touch()

    def make(hooks: str) -> EventConfig:
        path = tmp_path / "events" / "iris" / "config.yml"
        path.parent.mkdir(parents=True)
        path.write_text(
            "ramp: {problem_name: iris, event_name: iris}\n"
            "database_url: 'postgresql://me:hu%40nter2@localhost/ramp'\n"
            f"worker:\n  worker_type: conda\n  hooks:\n{hooks}"
        )
        return load_event(path, environ={"HOME": str(tmp_path)})

    return make


WRITE = "    {hook}: 'env | grep ^RAMPART_ | sort > {hook}'\n"
EVERY = ("start_training", "successful_training", "after_sucessful_training", "failed_training")


def told(event: EventConfig, hook: str) -> dict[str, str]:
    lines = (event.deployment / hook).read_text().splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def test_every_hook_learns_the_facts_of_its_submission(event: Callable[[str], EventConfig]) -> None:
    iris = event("".join(WRITE.format(hook=hook) for hook in EVERY))
    with Hooks(iris, os.environ) as hooks:
        for progress in (StageStarted(WORK, Stage.PUSH), StageStarted(WORK, Stage.WAIT), SCORED):
            hooks(progress)
        hooks(RunEnded(WORK, FAILED, {}))
        hooks(LOST)
    common = {
        "RAMPART_EVENT": "iris", "RAMPART_TEAM": "blue team", "RAMPART_SUBMISSION": "trees",
        "RAMPART_SUBMISSION_ID": "7", "RAMPART_ATTEMPT": "2", "RAMPART_LOG": "/logs/submission_000000007/log",
    }  # fmt: skip
    score = {"RAMPART_STATE": "scored", "RAMPART_SCORE": "0.75", "RAMPART_SCORE_TYPE": "acc"}
    failure = {
        "RAMPART_STATE": "training_error", "RAMPART_BLAME": "participant", "RAMPART_CAUSE": "raised",
        "RAMPART_MESSAGE": "the submission raised ValueError",
    }  # fmt: skip
    assert told(iris, "start_training") == common | {"RAMPART_STATE": "training"}
    assert told(iris, "successful_training") == common | score
    assert told(iris, "after_sucessful_training") == common | score
    assert told(iris, "failed_training") == common | failure


def test_a_run_that_is_queued_again_calls_no_hook(event: Callable[[str], EventConfig]) -> None:
    iris = event("".join(WRITE.format(hook=hook) for hook in EVERY))
    with Hooks(iris, os.environ) as hooks:
        hooks(LOST)
    assert not any((iris.deployment / hook).exists() for hook in EVERY)


def test_the_databases_password_is_not_told(event: Callable[[str], EventConfig]) -> None:
    iris = event("    failed_training: env > told\n")
    environ = {"PATH": os.environ["PATH"], "PGPASS": "hu@nter2", "URL": "postgresql://me:hu%40nter2@localhost/ramp"}
    with Hooks(iris, environ) as hooks:
        hooks(RunEnded(WORK, FAILED, {}))
    assert "nter2" not in (iris.deployment / "told").read_text()


def test_leaderboards_are_brought_up_to_date_once_for_all_results_that_came_meanwhile(
    event: Callable[[str], EventConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, inside, go_on = [], threading.Event(), threading.Event()

    def slow(line: str, *_: object, **__: object) -> None:
        ran.append(line)
        inside.set()
        assert go_on.wait(30)

    monkeypatch.setattr(hook_process, "run", slow)
    with Hooks(event("    update_leaderboards: make board\n"), {}) as hooks:
        hooks(SCORED)
        assert inside.wait(30)
        for _ in range(5):
            hooks(RunEnded(WORK, FAILED, {}))
        go_on.set()
    assert ran == ["make board", "make board"]


def test_what_is_left_at_the_end_is_given_up_after_a_while(
    event: Callable[[str], EventConfig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran, inside = [], threading.Event()

    def until_given_up(line: str, *_: object, given_up: Interruption, **__: object) -> None:
        ran.append(line)
        inside.set()
        ended = threading.Event()
        given_up.on_ask(ended.set)
        assert ended.wait(30)

    monkeypatch.setattr(hook_process, "run", until_given_up)
    with Hooks(event("    failed_training: date\n"), {}, drain_s=0.01) as hooks:
        hooks(RunEnded(WORK, FAILED, {}))
        hooks(RunEnded(WORK, FAILED, {}))
        assert inside.wait(30)
    assert ran == ["date"]
    assert "one of the hooks was not run" in caplog.text


def test_a_hook_that_breaks_leaves_the_next_its_turn(
    event: Callable[[str], EventConfig], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[str] = []

    def broken(line: str, *_: object, **__: object) -> None:
        ran.append(line)
        raise ZeroDivisionError

    monkeypatch.setattr(hook_process, "run", broken)
    with Hooks(event("    failed_training: date\n"), {}) as hooks:
        hooks(RunEnded(WORK, FAILED, {}))
        hooks(RunEnded(WORK, FAILED, {}))
    assert ran == ["date", "date"]
    assert "a hook broke" in caplog.text


def test_a_hook_learns_no_word_of_a_withheld_log(event: Callable[[str], EventConfig]) -> None:
    iris = event(WRITE.format(hook="failed_training"))
    with Hooks(iris, os.environ) as hooks:
        hooks(RunEnded(WORK, replace(FAILED, work=replace(WORK, withholds_log=True), traceback="ValueError: x"), {}))
    assert told(iris, "failed_training")["RAMPART_MESSAGE"] == "the submission raised ValueError"
