"""Whatever the process that holds Dask's client says or does, who asks it is told in one line, and soon."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from clients.dask import connection
from clients.dask.connection import Connection
from clients.dask.frames import MOST_PAYLOAD_BYTES, Frame
from contracts.dask import Scheduler, TlsFiles
from contracts.errors import HostUnreachable

SCHEDULER = Scheduler("tcp://127.0.0.1:8786")
SECRET = "the organiser's own"
PATIENCE_S = 20.0
FEW_WORDS = 500

BEGINNING = """
import json, os, signal, struct, sys

def hear():
    lengths = sys.stdin.buffer.read(8)
    if len(lengths) < 8:
        os._exit(0)
    header, payload = (sys.stdin.buffer.read(size) for size in struct.unpack(">II", lengths))
    return {**json.loads(header), "payload": len(payload)}

def write(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()

def say(header, payload=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    write(struct.pack(">II", len(text), len(payload)) + text + payload)

def be_silent():
    while True:
        signal.pause()

with open(PLACE + ".part", "w") as own:
    own.write(str(os.getpid()))
os.rename(PLACE + ".part", PLACE)
"""
CONNECTED = "first = hear()\nsay({'ready': True})\n"

Opened = Callable[..., Connection]


class Process:
    """A stand-in that was started. It is there to look at for as long as the connection is not closed."""

    def __init__(self, place: Path) -> None:
        self.pid = int(place.read_text())

    def look(self, name: str) -> bytes:
        return Path(f"/proc/{self.pid}/{name}").read_bytes()

    def await_end(self) -> None:
        try:
            process = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            assert select.select([process], [], [], PATIENCE_S)[0], "it still runs"
        finally:
            os.close(process)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a stand-in says who it is."""
    return tmp_path / "pid"


@pytest.fixture
def opened(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Connect by a process that does what a few lines of Python say; afterwards it has ended."""
    made: list[Connection] = []

    def open_it(body: str, scheduler: Scheduler = SCHEDULER) -> Connection:
        program = tmp_path / "stand_in.py"
        program.write_text(f"PLACE = {str(place)!r}\n{BEGINNING}\n{body}\n")
        monkeypatch.setattr(connection, "_PROGRAM", program)
        made.append(Connection(scheduler))
        return made[-1]

    yield open_it
    for one in made:
        one.close()
        with pytest.raises(ProcessLookupError):
            os.kill(Process(place).pid, 0)


def refused(answer: Future[Frame]) -> str:
    """Why an answer does not come."""
    error = answer.exception(PATIENCE_S)
    assert isinstance(error, HostUnreachable)
    return assert_clean(error)


def assert_clean(error: HostUnreachable) -> str:
    said = str(error)
    assert said.isprintable()
    assert len(said) < FEW_WORDS
    return said


HOSTILE = {
    "an answer nobody asked for": "say({'id': 99})",
    "an answer that is no number but equals one": "say({'id': True})",
    "a number without end": "say({'id': 10**4000})",
    "a text for a number": "say({'id': '1'})",
    "a broken number": "say({'id': 1.0})",
    "no number": "say({'id': None})",
    "a list for a number": "say({'id': [1]})",
    "an answer to the first words once more": "say({'ready': True})",
    "the same answer again": "say({'id': 3}), say({'id': 3})",
    "no frame": "write(b'GET / HTTP/1.1\\r\\n\\r\\n')",
    "a frame without JSON": "say(b'\\xff\\x00')",
    "depth without end": "say(b'[' * 200000)",
    "a header that is too long": "write(struct.pack('>II', 2**20, 0)); be_silent()",
    "a payload that is too long": "write(struct.pack('>II', 2, 2**31)); be_silent()",
    "a reason that is too long": "say({'id': 1, 'failed': 'x' * 2**20})",
    "a hundred thousand workers": "say({'id': 1, 'workers': [{'machine': '0' * 32}] * 100000})",
    "a flood of answers": "while True: say({'id': 4}, bytes(2**20))",
    "a flood of anything": "while True: write(os.urandom(2**16))",
    "the end of its words": "os.close(1); be_silent()",
    "half a frame": "write(b'\\0\\0\\0\\2\\0\\0\\0'); sys.exit()",
    "its own end": "sys.exit()",
    "a death": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("words", HOSTILE.values(), ids=HOSTILE.keys())
def test_after_anything_hostile_nobody_waits_and_the_process_has_ended(opened: Opened, place: Path, words: str) -> None:
    dask = opened(f"{CONNECTED}hear(), hear(), hear()\n{words}")
    answers = [dask.begin("first"), dask.begin("second"), dask.begin("third")]
    for answer in answers[:2]:
        assert "tcp://127.0.0.1:8786" in refused(answer)
    Process(place).await_end()
    assert not dask.is_open
    with pytest.raises(HostUnreachable) as caught:
        dask.ask("anything")
    assert_clean(caught.value)


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        (r"'a\nb\x1b[2J\r\x00\u202e' + chr(0x200b)", "a b [2J"),
        ("'x' * 200000", "x" * 300),
        ("'\\n' * 100000", "it does not say why"),
        ("'\\ud800'", "it does not say why"),
        ("{'a': ['\\n']}", "it does not say why"),
        ("12", "it does not say why"),
        ("False", "it does not say why"),
    ],
)
def test_a_strangers_reason_is_one_short_line(opened: Opened, failed: str, told: str) -> None:
    dask = opened(f"{CONNECTED}while True: say({{'id': hear()['id'], 'failed': {failed}}})")
    said = refused(dask.begin("anything"))
    assert said == f"on the Dask cluster tcp://127.0.0.1:8786: {told}"
    assert dask.is_open


def test_a_reason_as_deep_as_may_be_is_no_trouble(opened: Opened) -> None:
    reason = "b'{\"id\": %d, \"failed\": ' % hear()['id'] + b'[' * depth + b']' * depth + b'}'"
    dask = opened(f"{CONNECTED}for depth in range(900, 1000): say({reason})\nbe_silent()")
    for answer in [dask.begin("anything") for _ in range(100) if dask.is_open]:
        refused(answer)  # by its reason, or as what is no JSON any more


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("say({'failed': 'no\\nway'})", "no way"),
        ("sys.exit()", "does not answer any more"),
        ("write(b'<html><body>503</body></html>')", "says what it should not"),
        ("os.close(0); sys.exit()", "does not answer any more|takes no questions"),
        ("say({'id': 7})", "nobody asked for that"),
    ],
)
def test_a_connection_that_cannot_be_made_is_told_and_leaves_no_process(
    opened: Opened, place: Path, body: str, why: str
) -> None:
    with pytest.raises(HostUnreachable, match=why) as caught:
        opened(body)
    assert_clean(caught.value)
    with pytest.raises(ProcessLookupError):
        os.kill(Process(place).pid, 0)


def test_a_client_that_never_gets_ready_is_given_up(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_DIAL_S", 0.1)
    with pytest.raises(HostUnreachable, match="did not answer in time"):
        opened("be_silent()")


def test_an_answer_that_does_not_come_in_time_hinders_no_other(opened: Opened) -> None:
    dask = opened(
        f"{CONNECTED}first = hear()['id']\nsecond = hear()['id']\nsay({{'id': first}}), say({{'id': second}})"
    )
    with pytest.raises(HostUnreachable, match="did not answer in time"):
        dask.ask("slow", timeout_s=0.05)
    assert dask.ask("quick").header == {"id": 2}


def test_an_answer_that_nobody_waits_for_any_more_hinders_no_other(opened: Opened) -> None:
    dask = opened(
        f"{CONNECTED}first = hear()['id']\nsecond = hear()['id']\nsay({{'id': first}}), say({{'id': second}})"
    )
    assert dask.begin("hold").cancel()
    assert dask.ask("quick").header == {"id": 2}


def test_closing_from_another_thread_ends_every_wait(opened: Opened) -> None:
    dask = opened(f"{CONNECTED}be_silent()")
    answers = [dask.begin("hold") for _ in range(3)]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(answers[0].result, PATIENCE_S)
        dask.close()
        dask.close()
        with pytest.raises(HostUnreachable, match="was closed"):
            waiting.result(PATIENCE_S)
    assert [refused(answer) for answer in answers] == [
        "the Dask scheduler tcp://127.0.0.1:8786: the connection to it was closed"
    ] * 3


def test_closing_ends_the_wait_of_who_is_not_listened_to(opened: Opened) -> None:
    dask = opened(f"{CONNECTED}be_silent()")
    is_full = threading.Event()

    def fill() -> None:
        while True:
            is_full.set()
            dask.begin("write", bytes(2**20))

    with ThreadPoolExecutor(2) as pool:
        filling = [pool.submit(fill), pool.submit(fill)]
        assert is_full.wait(PATIENCE_S)
        dask.close()
        for one in filling:
            with pytest.raises(HostUnreachable):
                one.result(PATIENCE_S)


def test_a_client_that_does_not_listen_for_long_is_ended(
    opened: Opened, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TAKES_S", 0.05)
    monkeypatch.setattr(connection, "_LOOK_MS", 20)
    dask = opened(f"{CONNECTED}be_silent()")
    before = dask.begin("hold")
    with pytest.raises(HostUnreachable, match="takes no questions"):
        dask.ask("write", bytes(2**20))
    assert "takes no questions" in refused(before)
    Process(place).await_end()


def test_what_a_client_leaves_behind_keeps_nobody_waiting(opened: Opened) -> None:
    dask = opened(f"""{CONNECTED}
there, here = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()  # and holds both ends of what is said
    os.write(here, b'.')
else:
    os.read(there, 1)
    say({{'id': hear()['id'], 'child': child}})
be_silent()""")
    child = dask.ask("anything").header["child"]
    answer = dask.begin("hold")
    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(dask.close).result(PATIENCE_S)
        assert "was closed" in refused(answer)
    finally:
        os.kill(child, signal.SIGKILL)


def test_many_threads_get_their_own_answers_in_whatever_order(opened: Opened) -> None:
    dask = opened(f"""{CONNECTED}
while True:
    for asked in reversed([hear() for _ in range(8)]):
        say({{'id': asked['id'], 'word': asked['word'], 'payload': asked['payload']}}, bytes(asked['payload']))""")

    def ask(number: int) -> tuple[Any, Any, int]:
        answer = dask.ask("echo", bytes(number * 1000), word=f"word {number}")
        return answer.header["word"], answer.header["payload"], len(answer.payload)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(80))) == [(f"word {i}", i * 1000, i * 1000) for i in range(80)]


def test_the_longest_payload_goes_and_comes_whole(opened: Opened) -> None:
    dask = opened(f"{CONNECTED}asked = hear()\nsay({{'id': asked['id']}}, b'x' * asked['payload'])\nbe_silent()")
    assert dask.ask("echo", bytes(MOST_PAYLOAD_BYTES)).payload == b"x" * MOST_PAYLOAD_BYTES


def test_a_question_that_is_too_long_is_our_own_fault_and_hinders_no_other(opened: Opened) -> None:
    dask = opened(f"{CONNECTED}while True: say({{'id': hear()['id']}})")
    with pytest.raises(ValueError, match="too long"):
        dask.begin("write", bytes(MOST_PAYLOAD_BYTES + 1))
    assert dask.ask("anything").header == {"id": 2}


def test_certificates_go_by_its_input_and_nothing_else_of_ours_reaches_it(
    opened: Opened, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "RAMPART_DATABASE_URL", "SSH_AUTH_SOCK", "PYTHONPATH"):
        monkeypatch.setenv(name, SECRET)
    tls = TlsFiles(*(tmp_path / name for name in ("ca.pem", "client.pem", "client-key.pem")))
    for path in (tls.authority, tls.certificate, tls.key):
        path.write_text(f"{SECRET} {path.name}")
    scheduler = Scheduler("tls://127.0.0.1:8786", tls)
    with (tmp_path / "database").open("w"):
        dask = opened(f"{CONNECTED}say({{**first, 'id': hear()['id']}})\nbe_silent()", scheduler)
        told = dask.ask("what were the first words").header
        process = Process(place)
        environment, words = process.look("environ"), process.look("cmdline")
        descriptors = {path.name for path in Path(f"/proc/{process.pid}/fd").iterdir()}
    assert {name: told[name] for name in ("address", "authority", "certificate", "key")} == {
        "address": "tls://127.0.0.1:8786",
        "authority": f"{SECRET} ca.pem",
        "certificate": f"{SECRET} client.pem",
        "key": f"{SECRET} client-key.pem",
    }
    assert SECRET.encode() not in environment + words
    assert {line.partition(b"=")[0] for line in environment.split(b"\0") if line} <= {b"PATH", b"LANG", b"HOME"}
    assert tls.key.name.encode() not in words
    assert descriptors == {"0", "1", "2"}


@pytest.mark.parametrize("address", ["", "here", "tls://", "tls://a b:1", "tls://host:port", "tls://host:1\n"])
def test_what_is_no_address_starts_nothing(opened: Opened, place: Path, address: str) -> None:
    with pytest.raises(HostUnreachable, match="is not the address of a Dask scheduler"):
        opened("", Scheduler(address))
    assert not place.exists()
