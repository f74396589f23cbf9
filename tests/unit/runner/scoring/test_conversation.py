"""A process that holds labels is talked with line by line, and never waited for without end."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.scoring.conversation import Conversation, Lost, Silent

Talk = Callable[[str], Conversation]
ECHOES = "while read -r line; do printf '%s\\n' \"$line\"; done"
LONG_S = 30.0


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    begun: list[Conversation] = []

    def begin(script: str) -> Conversation:
        begun.append(Conversation(("sh", "-c", script), {"PATH": os.environ["PATH"]}, tmp_path))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


def test_each_question_is_answered_by_one_line(talk: Talk) -> None:
    process = talk(ECHOES)
    assert [process.ask({"number": number}, LONG_S) for number in range(3)] == [
        {"number": 0},
        {"number": 1},
        {"number": 2},
    ]


def test_lines_that_come_in_pieces_or_together_are_told_apart(talk: Talk) -> None:
    process = talk("""printf '{"a"'; sleep 0.05; printf ': 1}\\n{"b": 2}\\n{'; printf '"c": 3}\\n'""")
    assert [process.answer(LONG_S) for _ in range(3)] == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_bytes_that_follow_an_answer_are_taken_whole(talk: Talk) -> None:
    process = talk("""printf '{"bytes": 300000}\\nhead'; head -c 299996 /dev/zero; printf '{"next": 1}\\n'""")
    file = io.BytesIO()
    process.take(int(process.answer(LONG_S)["bytes"]), file, LONG_S)
    assert file.getvalue() == b"head" + bytes(299_996)
    assert process.answer(LONG_S) == {"next": 1}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 3", "exit code 3"),
        ("kill -SEGV $$", "SIGSEGV"),
        ("echo hello", "no answer"),
        ("echo '[1]'", "no answer"),
        ("printf '{\"half\": '", "exit code 0"),
    ],
)
def test_a_process_that_ends_or_talks_nonsense_is_lost(talk: Talk, script: str, said: str) -> None:
    with pytest.raises(Lost, match=said):
        talk(script).answer(LONG_S)


def test_a_process_that_was_lost_before_is_lost(talk: Talk) -> None:
    process = talk("exit 3")
    with pytest.raises(Lost):
        process.answer(LONG_S)
    with pytest.raises(Lost, match="exit code 3"):
        process.ask({}, LONG_S)
    assert process.is_over


def test_a_silent_process_is_ended_with_what_it_started(talk: Talk, tmp_path: Path) -> None:
    process = talk("sleep 1000 & echo $! >child; wait")
    with pytest.raises(Silent, match="in its time"):
        process.answer(0.2)
    assert process.is_over


def test_a_program_that_is_missing_is_lost(tmp_path: Path) -> None:
    with pytest.raises(Lost, match="cannot be run: No such file"):
        Conversation(("/nowhere/python",), {}, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="looks in /proc")
def test_nothing_of_ours_is_handed_on(talk: Talk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with (tmp_path / "ours").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        process = talk(
            """printf '{"ours": %d, "secrets": %d}\\n' "$(ls -l /proc/$$/fd | grep -c ours$)" "$(env | grep -c AWS)" """
        )
        answer = process.answer(LONG_S)
    assert answer == {"ours": 0, "secrets": 0}
