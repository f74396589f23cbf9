"""Make one thing go wrong inside a dispatcher's process, at a point that has a name."""

from __future__ import annotations

import errno
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import botocore
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session

from clients.aws.ec2 import Ec2
from clients.keys import new_host_key
from contracts.errors import HostUnreachable
from contracts.work import Finished, HostAddress, Scored, Work
from runner.progress import Stage
from runner.stages import pull, tar_reader
from runner.store import SqlStore

Wrapped = Callable[..., Any]


class Trouble(StrEnum):
    """What may happen to a dispatcher, once in its life."""

    KILLED_BEFORE_LAUNCH = "the launch is written down, EC2 has not been asked"
    KILLED_AFTER_LAUNCH = "EC2 has launched, the answer is not written down"
    KILLED_AFTER_CLAIM = "the submission is claimed, nothing else is done"
    KILLED_BEFORE_HOST_TAKES_ITS_KEY = "the host's own key is written down, the host shows its launch's still"
    KILLED_BEFORE_PUSH = "the host shows its own key, and nothing lies on it"
    KILLED_BEFORE_PUSH_IS_NOTED = "the job folder lies on the host, which is not written down"
    KILLED_BEFORE_TRAINING_IS_NOTED = "the job runs, which is not written down"
    KILLED_BEFORE_RECORD = "the result lies here, which is not written down"
    KILLED_AFTER_RECORD = "the result is written down, the host still there"
    KILLED_AFTER_RELEASE = "the host is ended, which is not written down"
    ANSWER_LOST = "EC2 launches, and its answer does not arrive in time"
    DISK_FULL = "there is no room for the first result that is pulled"
    NO_HOST_ANSWERS = "hosts are up as EC2 sees it, and nobody can connect to them"
    NO_PATIENCE_WITH_LOCKS = "a database that somebody else has locked counts as lost within the second"
    TRANSFER_CUT = "the connection breaks halfway through the first result that is pulled"
    LATE_TO_RECORD = "the result is not written down before somebody makes the file `late` beside the predictions"
    IMPOSTOR = "the first host shows another key than the one it was given"


def arm(trouble: Trouble) -> None:
    """Let it happen in this process."""
    _ARMED[trouble]()


def _dies_before(kind: type, verb: str, *, when: Callable[..., bool] = lambda *_, **__: True) -> Callable[[], None]:
    def wrapped(original: Wrapped, *args: Any, **kwargs: Any) -> Any:
        if when(*args, **kwargs):
            _die()
        return original(*args, **kwargs)

    return lambda: _wrap(kind, verb, wrapped)


def _dies_after(kind: type, verb: str, *, when: Callable[[Any], bool] = lambda _: True) -> Callable[[], None]:
    def wrapped(original: Wrapped, *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if when(result):
            _die()
        return result

    return lambda: _wrap(kind, verb, wrapped)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()  # until it is delivered


def _keep_results_back() -> None:
    """Halt the one thread only: a whole process that stands still may hold a lock on SQLite."""

    def record(original: Wrapped, store: SqlStore, scored: Scored) -> Any:
        predictions = scored.pulled.finished.launched.pushed.provisioned.claimed.work.predictions_dir
        logging.getLogger(__name__).warning("a result is kept back")
        while not (predictions.parent / "late").exists():
            time.sleep(0.02)
        return original(store, scored)

    _wrap(SqlStore, "record_scored", record)


def _wrap(holder: Any, name: str, wrapped: Wrapped) -> None:
    original = getattr(holder, name)
    setattr(holder, name, lambda *args, **kwargs: wrapped(original, *args, **kwargs))


def _is(wanted: Stage) -> Callable[..., bool]:
    def is_it(_store: SqlStore, _work: Work, stage: Stage, *_: Any, **__: Any) -> bool:
        return stage is wanted

    return is_it


def _lose_the_first_answer() -> None:
    """Send the request as botocore would, and wait for its answer in vain, below every retry."""
    lost: list[str] = []

    def send(request: Any, **_: Any) -> None:
        if lost:
            return
        lost.append(request.url)
        URLLib3Session().send(request)
        logging.getLogger(__name__).warning("an answer of EC2 got lost")
        raise ReadTimeoutError(endpoint_url=request.url)

    def register(session: Any) -> None:
        for verb in ("RunInstances", "CreateFleet"):
            session.register(f"before-send.ec2.{verb}", send)

    botocore.register_initializer(register)


def _expect_another_key_once() -> None:
    from runner import app

    told: list[str] = []

    def impostor(original: Wrapped, private: str, public: str) -> Any:
        if not told:
            told.append(public)
            public = new_host_key()[1]
        return original(private, public)

    _wrap(app, "HostKey", impostor)


def _fill_the_disk_once() -> None:
    refused: list[str] = []

    def unpack(original: Wrapped, chunks: Iterable[bytes], *args: Any) -> Any:
        if not refused:
            refused.append("once")
            next(iter(chunks))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(chunks, *args)

    _wrap(tar_reader, "unpack", unpack)


def _answer_nobody() -> None:
    from clients import ssh

    def silence(_original: Wrapped, host: HostAddress, **_: Any) -> None:
        raise HostUnreachable(f"{host.host_id} does not answer")

    _wrap(ssh, "connect", silence)


def _give_up_on_locks_soon() -> None:
    from runner.store import database

    database._BUSY_TIMEOUT_MS = 100


def _cut_the_first_transfer() -> None:
    """Hang up in the midst of it."""
    cut: list[str] = []

    def pull_from(original: Wrapped, finished: Finished, transport: Any, *args: Any, **kwargs: Any) -> Any:
        if cut:
            return original(finished, transport, *args, **kwargs)
        cut.append("once")
        logging.getLogger(__name__).warning("a transfer is cut")
        return original(finished, _HangsUp(transport), *args, **kwargs)

    _wrap(pull, "pull", pull_from)


class _HangsUp:
    """A connection that gives half of the first piece it receives, and is closed then."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    @contextmanager
    def receive(self, argv: Sequence[str]) -> Iterator[Iterator[bytes]]:
        with self._transport.receive(argv) as chunks:
            yield self._halved(chunks)

    def _halved(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        first = next(chunks)
        yield first[: len(first) // 2]
        self._transport.close()
        raise HostUnreachable("the connection broke on purpose")


_ARMED: dict[Trouble, Callable[[], None]] = {
    Trouble.KILLED_AFTER_CLAIM: _dies_after(SqlStore, "claim", when=bool),
    Trouble.KILLED_BEFORE_LAUNCH: _dies_before(Ec2, "launch"),
    Trouble.KILLED_AFTER_LAUNCH: _dies_after(Ec2, "launch"),
    Trouble.KILLED_BEFORE_HOST_TAKES_ITS_KEY: _dies_after(SqlStore, "note_own_key"),
    Trouble.KILLED_BEFORE_PUSH: _dies_before(SqlStore, "stage_started", when=_is(Stage.PUSH)),
    Trouble.KILLED_BEFORE_PUSH_IS_NOTED: _dies_before(SqlStore, "stage_started", when=_is(Stage.LAUNCH)),
    Trouble.KILLED_BEFORE_TRAINING_IS_NOTED: _dies_before(SqlStore, "training_started"),
    Trouble.KILLED_BEFORE_RECORD: _dies_before(SqlStore, "record_scored"),
    Trouble.KILLED_AFTER_RECORD: _dies_after(SqlStore, "record_scored"),
    Trouble.KILLED_AFTER_RELEASE: _dies_after(Ec2, "terminate"),
    Trouble.ANSWER_LOST: _lose_the_first_answer,
    Trouble.DISK_FULL: _fill_the_disk_once,
    Trouble.NO_HOST_ANSWERS: _answer_nobody,
    Trouble.NO_PATIENCE_WITH_LOCKS: _give_up_on_locks_soon,
    Trouble.TRANSFER_CUT: _cut_the_first_transfer,
    Trouble.LATE_TO_RECORD: _keep_results_back,
    Trouble.IMPOSTOR: _expect_another_key_once,
}
