"""A canary's job is believed when it says that it got something, never when it says that it did not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.work import Containment, JobEnd
from runner.canary.attempts import ATTEMPTS, BOMBS, Proof
from runner.canary.judging import Outcome, Result, Said, Seen, judge, said_in

TOKEN = "canary-0123"
STOPPED = {one.name: [Said("stopped", "no")] for one in ATTEMPTS}
CLEAN = Seen(
    Containment.NAMESPACES,
    ended="the job ended: exited, code 0",
    said=STOPPED,
    found={"heir": [Said("done", "")]},
    laid=frozenset({"keys", "labels"}),
    ends={name: ends[0] for name, ends in BOMBS.items()},
    log="plain\ttext\n",
    log_bytes=10,
    log_limit_bytes=100,
)


def result(name: str, seen: Seen) -> Result:
    [found] = [one for one in judge(seen) if one.attempt.name == name]
    return found


def said(name: str, *lines: Said, **changes: Any) -> Seen:
    return replace(CLEAN, said={**STOPPED, name: lines}, **changes)


def test_a_job_that_got_nothing_and_left_nothing_was_stopped_at_everything() -> None:
    assert {one.outcome for one in judge(CLEAN)} == {Outcome.STOPPED}


def test_of_a_canary_nobody_heard_of_nothing_is_said_to_be_stopped_but_what_was_looked_at() -> None:
    results = judge(Seen(Containment.SYSTEMD, ended="the job ended: signalled, code -9"))
    stopped = {one.attempt.name for one in results if one.outcome is Outcome.STOPPED}
    assert stopped == {"fake-scores", "log-traceback"}
    assert "code -9" in next(one.by for one in results if one.attempt.name == "home")


@pytest.mark.parametrize(
    "text",
    [
        "canary-0123 home stopped no\n",
        "canary-0123 home got\n",
        "a line before\ncanary-0123 home got a key\nand after",
    ],
)
def test_a_line_of_the_canarys_is_read(text: str) -> None:
    [(name, [line])] = said_in(text, TOKEN).items()
    assert (name, line.word) == ("home", "stopped" if "stopped" in text else "got")


@pytest.mark.parametrize(
    "text",
    [
        "canary-0124 home stopped no",
        " canary-0123 home stopped no",
        "canary-0123 home stopped n\x1b[2Jo",
        "canary-0123 home won everything",
        "canary-0123 HOME stopped no",
        "canary-0123 home  stopped no",
        f"canary-0123 {'h' * 41} stopped no",
        "canary-0123 home stopped no\u202e",
    ],
)
def test_any_other_line_is_passed_over(text: str) -> None:
    assert said_in(text, TOKEN) == {}


def test_a_long_text_is_cut() -> None:
    assert len(said_in(f"canary-0123 home got {'x' * 5000}", TOKEN)["home"][0].text) == 160


def test_the_worst_of_two_lines_counts() -> None:
    found = result("home", said("home", Said("stopped", "no"), Said("got", "a key"), Said("stopped", "no")))
    assert (found.outcome, found.by) == (Outcome.NOT_STOPPED, "a key")


@pytest.mark.parametrize("word", ["unclear", "begins", "done"])
def test_an_attempt_that_does_not_say_how_it_ended_was_not_stopped(word: str) -> None:
    assert result("tcp", said("tcp", Said(word, ""))).outcome is Outcome.NOT_STOPPED


def test_bait_that_came_back_or_was_reached_counts_more_than_what_the_job_says() -> None:
    assert result("labels", replace(CLEAN, bait=frozenset({"labels"}))).outcome is Outcome.NOT_STOPPED
    assert result("loopback", replace(CLEAN, touched=frozenset({"loopback"}))).outcome is Outcome.NOT_STOPPED
    assert result("absolute", replace(CLEAN, bait=frozenset({"absolute"}))).outcome is Outcome.NOT_STOPPED


def test_what_the_login_user_cannot_do_either_proves_no_wall() -> None:
    found = result("metadata", replace(CLEAN, looked={"metadata": [Said("stopped", "Connection refused")]}))
    assert (found.outcome, found.by) == (Outcome.NOT_POSSIBLE, "the login user cannot either: Connection refused")
    found = result("metadata", replace(CLEAN, looked={"metadata": [Said("got", "it answers")]}))
    assert found.outcome is Outcome.STOPPED
    found = result("metadata", said("metadata", Said("got", "it answers"), looked={"metadata": [Said("stopped", "")]}))
    assert found.outcome is Outcome.NOT_STOPPED


def test_where_there_are_no_keys_none_were_kept_from_it() -> None:
    assert result("keys", replace(CLEAN, laid=frozenset())).outcome is Outcome.NOT_POSSIBLE


@pytest.mark.parametrize("name", [one.name for one in ATTEMPTS if one.proof in (Proof.PULL, Proof.HOST, Proof.HEIR)])
def test_a_job_that_says_it_got_something_where_others_look_is_not_cleared_by_their_silence(name: str) -> None:
    if name != "left-processes":  # of which it says nothing
        assert result(name, said(name, Said("got", "the crown jewels"))).outcome is Outcome.NOT_STOPPED


def test_what_was_made_is_judged_by_what_became_of_it() -> None:
    made = Said("got", "made something")
    cases: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "escaped": ({}, {"left": frozenset({"escaped"})}),
        "setuid-made": ({}, {"setuid": ("/job/x",)}),
        "left-files": ({}, {"found": {"heir": [Said("done", "")], "left-files": [Said("got", "files in /tmp")]}}),
        "symlink": ({"pulled": {"symlink": "refused"}}, {"accepted": {"symlink": "a link"}}),
    }
    for name, (harmless, harmful) in cases.items():
        assert result(name, said(name, made, **harmless)).outcome is Outcome.STOPPED, name
        assert result(name, said(name, made, **harmful)).outcome is Outcome.NOT_STOPPED, name
    assert result("fifo", said("fifo", made)).outcome is Outcome.NOT_STOPPED  # nobody pulled it


def test_without_a_look_of_the_next_job_nothing_is_known_of_what_was_left_for_it() -> None:
    assert result("left-processes", replace(CLEAN, found={})).outcome is Outcome.NOT_STOPPED


@pytest.mark.parametrize("end", [JobEnd.EXITED, JobEnd.SIGNALLED])
def test_a_bomb_that_no_limit_ended_was_not_stopped(end: JobEnd) -> None:
    assert result("memory", replace(CLEAN, ends={"memory": end})).outcome is Outcome.NOT_STOPPED
    assert result("many", replace(CLEAN, ends={"many": end})).outcome is Outcome.NOT_STOPPED
    refused = replace(CLEAN, ends={"many": end}, pulled={"many": "the host sent more than 10000 files"})
    assert result("many", refused).outcome is Outcome.STOPPED


@pytest.mark.parametrize("letter", ["\x1b", "\x07", "\x9b", "\x7f", "\r", "\u202e", "\u200b", "\u2066", "\U000e0041"])
def test_a_log_that_could_draw_on_a_terminal_is_seen(letter: str) -> None:
    found = result("log-controls", replace(CLEAN, log=f"a{letter}b"))
    assert (found.outcome, found.by) == (Outcome.NOT_STOPPED, f"the shown log holds U+{ord(letter):04X}")


def test_scores_that_were_believed_and_blame_that_fell_on_others_are_told() -> None:
    assert result("fake-scores", replace(CLEAN, own_scores="they are believed")).outcome is Outcome.NOT_STOPPED
    assert result("log-traceback", replace(CLEAN, blamed_others="the organiser is")).outcome is Outcome.NOT_STOPPED
    assert result("record", replace(CLEAN, record_forged=True)).outcome is Outcome.NOT_STOPPED
    assert result("log-flood", replace(CLEAN, log_bytes=101)).outcome is Outcome.NOT_STOPPED
