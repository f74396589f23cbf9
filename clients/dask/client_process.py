"""Hold a client of a Dask cluster, and do with it what frames on standard input ask for.

Dask unpickles what schedulers and workers send, so whoever breaks into one of them may run programs here: this process
has no secret but the certificate that it dials with, and what it says is read as if a stranger had written it.

The first frame tells where the scheduler is: `{"address": ..., "authority": ..., "certificate": ..., "key": ...}`, with
PEM texts or none. Each further one is a question with a number, `{"id": 7, "verb": "read", ...}`, answered in any order
by a frame of the same number, with `failed` where there is nothing to tell but a reason. The process ends with its
input, and as soon as the scheduler does not answer any more: then nothing that is known here is worth anything.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from clients.dask import frames
from clients.dask.frames import Frame
from clients.dask.session import Session

LOST = 3
"""Exit code: the scheduler cannot be reached any more."""
REFUSED = 4
"""Exit code: it cannot be dialled."""

_DIAL_S = 20.0
_REACHES = "RAMPART_REACHES"  # where walls let the scheduler be reached


async def serve(first: Frame, asked: asyncio.Queue[Frame | None], tell: Callable[[Frame], None]) -> int:
    """Connect and answer until None is asked; gives the exit code."""
    try:
        client = await _connected(first.header)
    except Exception as error:
        tell(Frame({"failed": f"it could not be dialled: {_words(error)}"}))
        return REFUSED
    try:
        with tempfile.TemporaryDirectory() as folder:
            module = _under_its_own_name(Path(folder))
            session = Session(client, module)
            await session.begin_listening()  # before it is told what workers run: another scheduler would not know that
            await client.upload_file(module.__file__)
    except OSError:  # Dask's own errors of a broken connection among them
        tell(Frame({"failed": "nobody answers there, or not to what we show"}))
        return REFUSED
    except Exception as error:
        tell(_failure(error))
        return REFUSED
    tell(Frame({"ready": True}))
    watching = asyncio.ensure_future(session.watch())
    answering = asyncio.ensure_future(_answer_all(session, asked, tell))
    await asyncio.wait([watching, answering], return_when=asyncio.FIRST_COMPLETED)
    return 0 if answering.done() else LOST


async def _connected(asked: dict[str, Any]) -> Any:
    import distributed

    make_client: Any = distributed.Client  # neither has types
    make_security: Any = distributed.Security
    security = None
    if asked.get("certificate"):
        security = make_security(
            tls_ca_file=asked["authority"], tls_client_cert=asked["certificate"], tls_client_key=asked["key"],
            require_encryption=True,
        )  # fmt: skip
    options = {"security": security, "asynchronous": True, "set_as_default": False, "timeout": _DIAL_S}
    scheme, _, place = asked["address"].partition("://")
    dialling = make_client(f"{scheme}://{os.environ.get(_REACHES, place)}", **options)
    return await asyncio.wait_for(dialling, 2 * _DIAL_S)


async def _answer_all(session: Session, asked: asyncio.Queue[Frame | None], tell: Callable[[Frame], None]) -> None:
    running: set[asyncio.Task[None]] = set()
    while (frame := await asked.get()) is not None:
        task = asyncio.ensure_future(_answer(session, frame, tell))
        running.add(task)
        task.add_done_callback(running.discard)


async def _answer(session: Session, frame: Frame, tell: Callable[[Frame], None]) -> None:
    try:
        answer = await session.answer(frame)
    except asyncio.CancelledError:
        answer = Frame({"failed": "it was taken back"})
    except Exception as error:
        answer = _failure(error)
    tell(Frame({"id": frame.header.get("id"), **answer.header}, answer.payload))


def _failure(error: Exception) -> Frame:
    """A connection that breaks is told in our own words; what else happens here is told as it is."""
    return Frame({"failed": str(error) if type(error) is ConnectionError else _words(error)})


def _words(error: BaseException) -> str:
    if not str(error) and error.__cause__ is not None:  # so Dask tells of TLS that could not even begin
        error = error.__cause__
    return f"{type(error).__name__}: {error}"[:300]


def _under_its_own_name(folder: Path) -> Any:
    """Import what workers run under a name that tells its content: theirs may be of another version of ours."""
    source = Path(__file__).with_name("on_worker.py")
    name = f"rampart_on_worker_{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}"
    copy = folder / f"{name}.py"
    shutil.copyfile(source, copy)
    spec = importlib.util.spec_from_file_location(name, copy)
    if spec is None or spec.loader is None:
        raise ImportError(f"{copy} is no module")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _exactly(stream: BinaryIO) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        data = stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    return read


async def _run(questions: BinaryIO, answers: BinaryIO) -> int:
    loop = asyncio.get_running_loop()
    exactly = _exactly(questions)
    asked: asyncio.Queue[Frame | None] = asyncio.Queue()

    def listen() -> None:
        frame: Frame | None = None
        with suppress(EOFError, OSError, frames.Malformed, RuntimeError):  # the last one: the loop has ended
            while True:
                frame = frames.read(exactly)
                loop.call_soon_threadsafe(asked.put_nowait, frame)
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(asked.put_nowait, None)

    def tell(frame: Frame) -> None:
        answers.write(frames.encoded(*frame))
        answers.flush()

    Thread(target=listen, daemon=True).start()
    first = await asked.get()
    return 0 if first is None else await serve(first, asked, tell)


def main() -> None:
    """Keep standard output for the frames alone; end at once when there is nothing left to do."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    code = 1
    try:
        code = asyncio.run(_run(questions, answers), debug=False)
    finally:
        os._exit(code)  # threads and connections of Dask's may hold on for long


if __name__ == "__main__":
    main()
