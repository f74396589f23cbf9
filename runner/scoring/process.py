"""Answer, for as long as somebody asks, what an event's kit has to say.

Usage: process.py KIT_DIR DATA_DIR, by the Python of the kit's environment (3.8 or newer). Each answer is a line of JSON
on standard output: the first one, unasked, tells about the kit; the others answer lines of JSON on standard input. An
answer with `bytes` is followed by so many.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

sys.path[0] = str(Path(__file__).resolve().parents[2])
from runner.scoring.arrays import Refused  # noqa: E402
from runner.scoring.challenge import Broken, Challenge, NotAllowed  # noqa: E402

CPU_S = 300
MEMORY_BYTES = 4 * 2**30
FILE_BYTES = 2**30
_NO_NEW_PRIVILEGES, _DUMPABLE = 38, 4  # of prctl(2)


def main() -> None:
    """Keep standard output for the answers alone; end when nobody asks any more."""
    answers, questions = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    _confine()
    warnings.simplefilter("ignore")
    kit_dir, data_dir = (os.path.realpath(folder) for folder in sys.argv[1:3])
    sys.path[0] = str(Path(sys.executable).parent)  # as for ramp-test
    os.chdir(kit_dir)
    challenge = None
    try:
        challenge = Challenge(kit_dir, data_dir)
        _answer(answers, challenge.about())
    except NotAllowed as error:
        _answer(answers, {"not_allowed": str(error)})
    except BaseException as error:  # kits exit, too
        _answer(answers, {"not_allowed": f"it cannot be read: {type(error).__name__}: {str(error)[:500]}"})
    if challenge is not None:
        _limit_growth()
        for question in questions:
            _reply(challenge, json.loads(question), answers)


def _reply(challenge: Challenge, question: dict[str, Any], answers: BinaryIO) -> None:
    _limit()
    if question["verb"] == "pack":
        _answer(answers, {"bytes": challenge.size})
        challenge.pack(answers)
        answers.flush()
        return
    try:
        answer = challenge.score(Path(question["folder"]), question["times"])
    except Refused as error:
        answer = {"refused": str(error)}
    except Broken as error:
        answer = {"broken": str(error)}
    except BaseException as error:
        answer = {"broken": f"{type(error).__name__}: {str(error)[:300]}"}
    _answer(answers, answer)


def _answer(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


def _confine() -> None:
    """Leave no image of the labels behind, and win no rights."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        prctl = ctypes.CDLL(None).prctl
        prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        prctl(_DUMPABLE, 0, 0, 0, 0)


def _limit() -> None:
    """Bound the processor time of one answer: who passes it ends this process, and another one is started."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_S, hard))


def _limit_growth() -> None:
    """Bound what all answers may take beyond the kit itself."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    with suppress(OSError, ValueError):  # where there is no /proc
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
