"""An event that is paused waits for its organiser, and keeps the others of its process waiting for nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from runner.dispatcher import Summary
from tasks import events, serving, training
from tasks.watching import Watch


class Deployment:
    """One event whose dispatcher finds it paused the first time, and whose organiser resumes it in time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.served = 0
        self.looks = 0
        event = SimpleNamespace(name="iris")
        catalogue = SimpleNamespace(window=lambda _: SimpleNamespace(is_open=lambda _: True), counts=self.counts)
        monkeypatch.setattr(events, "event_names", lambda: ["iris"])
        monkeypatch.setattr(events, "read_event", lambda *_, **__: event)
        monkeypatch.setattr(events, "open_event", lambda *_, **__: event)
        monkeypatch.setattr(serving, "open_catalogue", lambda _: catalogue)
        monkeypatch.setattr(serving, "_LOOK_AGAIN_S", 0.01)
        monkeypatch.setattr(training, "serve_event", self.serve)

    def serve(self, *_: Any, **__: Any) -> Summary:
        self.served += 1
        return Summary(paused="three errors in a row" if self.served == 1 else "")

    def counts(self, _: str) -> SimpleNamespace:
        self.looks += 1
        return SimpleNamespace(is_paused=self.looks < 3)


def test_a_paused_event_is_told_once_and_taken_up_again_when_it_was_resumed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment(monkeypatch)
    serving.serve_open_events(config=None, local=False, hunger_policy=None, terminate=False, watch=Watch())
    assert (deployment.served, deployment.looks) == (2, 3)
    assert " ".join(capsys.readouterr().err.split()).count("invoke resume --event iris") == 1


def test_with_hunger_policy_exit_a_paused_event_is_not_waited_for_and_the_exit_code_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment(monkeypatch)
    with pytest.raises(SystemExit, match="1"):
        serving.serve_open_events(config=None, local=False, hunger_policy="exit", terminate=False, watch=Watch())
    assert deployment.served == 1
    assert "invoke resume --event iris" in " ".join(capsys.readouterr().err.split())
