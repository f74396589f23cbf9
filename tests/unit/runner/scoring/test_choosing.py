"""Where an event's runs are scored is decided, and said, before the first one is claimed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.event_file import load_event
from runner.scoring import choosing
from runner.scoring.choosing import scorer_of

RAMP = "ramp: {problem_name: iris, event_name: iris, kit_dir: kit}\n"
CONDA = f"worker_type: conda, env: venv, venv_dir: {sys.prefix}"
AWS = "worker_type: aws, ami_image_name: iris-backend, region_name: eu-west-3"
NOT_ALLOWED = """echo '{"not_allowed": "it has no labels"}'"""
ALLOWED = """echo '{"labels": "one", "read": []}'; cat"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kit" / "submissions" / "starting_kit").mkdir(parents=True)
    (tmp_path / "kit" / "problem.py").touch()
    (tmp_path / "events" / "iris").mkdir(parents=True)
    return tmp_path


def event(folder: Path, worker: str, more: str = "") -> EventConfig:
    path = folder / "events" / "iris" / "config.yml"
    path.write_text(f"{RAMP}worker: {{{worker}}}\n{more}")
    return load_event(path, environ={})


def chosen(event: EventConfig, process: str) -> bool:
    """Whether this machine scores; `process` is what the scoring process does."""
    with scorer_of(event, wrap=lambda _: ("sh", "-c", process)) as scorer:
        return scorer is not None and scorer.bundle.__self__.refusal() == ""  # type: ignore[attr-defined]


def test_a_kit_that_allows_it_is_scored_here(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for scoring in ("", ", scoring: server"):
        assert chosen(event(folder, CONDA + scoring), ALLOWED)
    assert caplog.messages == []


@pytest.mark.parametrize("worker", [CONDA, AWS])
def test_a_kit_that_does_not_allow_it_is_scored_on_its_hosts_with_one_warning_that_says_why(
    folder: Path, caplog: pytest.LogCaptureFixture, worker: str
) -> None:
    assert not chosen(event(folder, worker), NOT_ALLOWED)
    (message,) = caplog.messages
    assert "the test labels lie beside strangers' code" in message
    assert "it has no labels" in message
    assert choosing.GUIDE in message


def test_what_is_demanded_and_not_allowed_is_refused_before_anything_starts(folder: Path) -> None:
    with pytest.raises(AskedWrongly, match="scoring: server cannot be had: it has no labels") as caught:
        chosen(event(folder, f"{CONDA}, scoring: server"), NOT_ALLOWED)
    assert choosing.GUIDE in caught.value.hint


def test_an_event_may_ask_for_ramps_way_and_is_warned_each_time(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert not chosen(event(folder, f"{AWS}, scoring: host"), "exit 1")
    assert ["scoring: host" in message for message in caplog.messages] == [True, True]


def test_a_worker_of_the_organisers_own_has_its_own_ways(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not chosen(event(folder, "worker_type: 'here:Mine'"), "exit 1")
    assert "here:Mine runs them in a way of its own" in caplog.text
    with pytest.raises(AskedWrongly, match="here:Mine"):
        chosen(event(folder, "worker_type: 'here:Mine', scoring: server"), "exit 1")


def test_data_that_are_on_the_image_alone_are_scored_there_unless_the_event_says_otherwise(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    private = 'infra: {image: {private_data: {s3: "s3://challenges/iris/"}}}\n'
    assert not chosen(event(folder, AWS, private), ALLOWED)
    assert "infra.image.private_data" in caplog.text
    assert chosen(event(folder, f"{AWS}, scoring: server", private), ALLOWED)
