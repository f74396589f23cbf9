"""What a worker says of a command is believed only where it could be true."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest

from clients.dask.connection import Connection
from clients.dask.frames import Frame
from clients.dask.transport import DaskTransport
from contracts.errors import HostUnreachable
from contracts.remote import CommandResult

MACHINE = "0123456789abcdef" * 2
ADDRESS = "tls://10.0.0.5:8788"


class Worker:
    """Gives one answer after the other, and remembers what it was asked."""

    def __init__(self, *answers: Frame) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def begin(self, verb: str, payload: bytes = b"", **asked: Any) -> Future[Frame]:
        self.asked.append((verb, asked))
        answer: Future[Frame] = Future()
        answer.set_result(self._answers.pop(0) if self._answers and verb != "kill" else Frame({}))
        return answer

    def run(self) -> CommandResult:
        return DaskTransport(cast(Connection, self), MACHINE).run(["true"])


def test_output_and_errors_come_apart_until_there_is_an_exit_code() -> None:
    worker = Worker(
        Frame({"out": 3, "code": None, "address": ADDRESS}, b"outerr"),
        Frame({"out": 0, "code": None, "address": ADDRESS}),
        Frame({"out": 1, "code": -1, "address": ADDRESS}, b"!?"),
    )
    assert worker.run() == CommandResult(-1, b"out!", b"err?")
    assert [asked.get("address") for _, asked in worker.asked] == [None, ADDRESS, ADDRESS]


@pytest.mark.parametrize(
    "said",
    [
        {"code": 0}, {"out": None}, {"out": True}, {"out": -1}, {"out": 4}, {"out": "3"}, {"out": 1.0},
        {"out": 10**300}, {"code": True}, {"code": "0"}, {"code": 0.5}, {"code": -2}, {"code": 256}, {"code": 10**300},
        {"code": [0]}, {"address": 7}, {"address": ["a"]}, {"address": "x" * 201}, {"address": {"a": 1}},
    ],
    ids=repr,
)  # fmt: skip
def test_what_can_be_no_answer_is_refused_and_the_command_ended(said: dict[str, Any]) -> None:
    whole = {} if said == {"code": 0} else {"out": 3, "code": 0, "address": ADDRESS}
    worker = Worker(Frame({**whole, **said}, b"out"))
    with pytest.raises(HostUnreachable, match="says what is no answer"):
        worker.run()
    assert [verb for verb, _ in worker.asked] == ["begin", "kill"]
