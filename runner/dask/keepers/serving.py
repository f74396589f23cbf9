"""Serve a cluster on standard input and output, one line of JSON a question and an answer.

The first line holds the settings; its answer comes when the cluster is up. Further ones are `{"verb": ..., ...}`. An
answer is `{"told": {...}}`, or `{"failed": {"message", "code", "hint"}}`. When the input ends, or on SIGTERM, the
cluster is closed, whatever it is at.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

MOST_LINE_BYTES = 2**20
CLOSE_S = 60.0
"""How long a cluster may take to close before its keeper ends all the same."""

_log = logging.getLogger(__name__)
Told = dict[str, Any]


class Failed(Exception):
    """What was asked for cannot be done; `code` is the cloud's own."""

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.hint = message, code, hint


class Kept(Protocol):
    """A cluster, in the verbs that a keeper is asked. Each may raise Failed; `close` comes last, at any moment."""

    async def start(self) -> Told:
        """Have the cluster up."""
        ...

    async def answer(self, verb: str, asked: Mapping[str, Any]) -> Told:
        """Do what is asked, without waiting for machines."""
        ...

    async def close(self) -> None:
        """End everything that was started, also what is just starting."""
        ...


def serve(make: Callable[[Told], Kept]) -> None:
    """Keep a cluster for as long as somebody asks, then leave the process; `make` is given the settings."""
    answers, questions = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb", buffering=0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # what the cluster starts has neither of the two
    os.dup2(2, 1)
    asyncio.run(_served(make, questions, answers))


async def _served(make: Callable[[Told], Kept], questions: BinaryIO, answers: BinaryIO) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    listening = asyncio.create_task(_listen(questions, lines, over))
    ending = asyncio.create_task(over.wait())
    first = asyncio.create_task(lines.get())
    await asyncio.wait({first, ending}, return_when=asyncio.FIRST_COMPLETED)
    if first.done():
        kept = make(json.loads(first.result()))
        talking = asyncio.create_task(_talk(kept, lines, answers))
        await asyncio.wait({talking, ending}, return_when=asyncio.FIRST_COMPLETED)
        talking.cancel()
        try:
            await asyncio.wait_for(kept.close(), CLOSE_S)
        except Exception:  # the process ends, and with it what hangs on it
            _log.exception("the cluster could not be closed")
    listening.cancel()


async def _listen(questions: BinaryIO, lines: asyncio.Queue[bytes], over: asyncio.Event) -> None:
    reader = asyncio.StreamReader(limit=MOST_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), questions)
    try:
        while line := await reader.readline():
            lines.put_nowait(line)
    finally:
        over.set()


async def _talk(kept: Kept, lines: asyncio.Queue[bytes], answers: BinaryIO) -> None:
    _say(answers, await _answer(kept.start()))
    while True:
        asked = json.loads(await lines.get())
        _say(answers, await _answer(kept.answer(asked.pop("verb"), asked)))


async def _answer(doing: Any) -> Told:
    try:
        return {"told": await doing}
    except Failed as error:
        return {"failed": {"message": error.message, "code": error.code, "hint": error.hint}}
    except Exception as error:
        _log.exception("the cluster failed")
        return {"failed": {"message": f"{type(error).__name__}: {error}", "code": "", "hint": ""}}


def _say(answers: BinaryIO, answer: Told) -> None:
    with suppress(OSError):  # nobody hears it: the input has ended, too
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()
