"""What a loop says of its cluster is worth as much as the loop itself."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from contracts.dask import Scheduler, TlsFiles
from contracts.event import EventConfig
from runner import process_name
from runner.dask.announcing import Announcement

ENCRYPTED = Scheduler("tls://10.0.0.4:8786", TlsFiles(Path("/ca.pem"), Path("/client.pem"), Path("/key.pem")))
PLAIN = Scheduler("tcp://127.0.0.1:8786")


@pytest.fixture
def announcement(tmp_path: Path) -> Announcement:
    return Announcement(cast(EventConfig, SimpleNamespace(state_dir=tmp_path / "state")))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "state" / "dask-scheduler.json"


@pytest.mark.parametrize("scheduler", [ENCRYPTED, PLAIN], ids=["tls", "tcp"])
def test_what_was_said_last_is_found_by_others_of_this_user(
    announcement: Announcement, place: Path, scheduler: Scheduler
) -> None:
    announcement.make(Scheduler("tls://10.0.0.3:8786"))
    announcement.make(scheduler)
    assert announcement.found() == scheduler
    assert place.stat().st_mode & 0o777 == 0o600


def test_nothing_is_found_before_anything_was_said_and_after_it_was_unsaid(announcement: Announcement) -> None:
    assert announcement.found() is None
    announcement.withdraw()
    announcement.make(PLAIN)
    announcement.withdraw()
    assert announcement.found() is None


def test_the_word_of_a_loop_that_has_ended_is_worth_nothing(
    announcement: Announcement, monkeypatch: pytest.MonkeyPatch
) -> None:
    announcement.make(PLAIN)
    monkeypatch.setattr(process_name, "is_dead", lambda name: name == process_name.own_name())
    assert announcement.found() is None


def test_what_another_loop_says_is_not_unsaid(announcement: Announcement, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other:
        other.setattr(process_name, "own_name", lambda: "elsewhere:7:::")
        announcement.make(PLAIN)
    announcement.withdraw()
    assert announcement.found() == PLAIN


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"owner": "elsewhere:7:::", "address": "tcp://a:1"}'])
def test_what_is_no_word_of_ours_is_nothing(announcement: Announcement, place: Path, text: str) -> None:
    place.parent.mkdir()
    place.write_text(text)
    assert announcement.found() is None
    announcement.withdraw()


@pytest.mark.parametrize("tls", ["abc", [], ["a"], [1, 2, 3], 7, {}], ids=repr)
def test_certificates_that_are_no_three_files_are_nothing(announcement: Announcement, place: Path, tls: object) -> None:
    place.parent.mkdir()
    place.write_text(json.dumps({"owner": "elsewhere:7:::", "address": "tcp://a:1", "tls": tls}))
    assert announcement.found() is None
