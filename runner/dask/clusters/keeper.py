"""Talk with the process that keeps a cluster."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from contracts.errors import CloudError, HostUnreachable

_MOST_LINE_BYTES = 2**20
_ANSWER_S = 60.0
_END_S = 90.0
_MOST_TOLD_LINES = 3
_FORWARDED = ("PATH", "USER", "LOGNAME", "LANG", "TMPDIR")


def clean_environment(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """What of a process's variables a cluster's processes get: no secret of the dispatcher's."""
    return {name: outer[name] for name in _FORWARDED if name in outer} | {"HOME": str(home)}


class Keeper:
    """One keeper process, in a session of its own. It ends what it started when its input does, or on SIGTERM."""

    def __init__(
        self, program: Path, settings: Mapping[str, Any], *, environment: Mapping[str, str], log: Path, start_s: float
    ) -> None:
        """Start it and wait `start_s` seconds at most for the cluster; `log` gets what it writes of itself.

        Raises CloudError or HostUnreachable: then nothing of it is left.
        """
        self._log = log
        self._asking = threading.Lock()
        self._answers: queue.Queue[bytes] = queue.Queue()
        with log.open("ab") as told:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-B", str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                env=dict(environment),
                start_new_session=True,
            )
        self._input, output = _pipe(self._process.stdin), _pipe(self._process.stdout)
        threading.Thread(target=self._listen, args=(output,), daemon=True, name="dask-keeper").start()
        try:
            self._told = self._asked(settings, start_s)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Its process id, which is its session's too."""
        return self._process.pid

    @property
    def told(self) -> dict[str, Any]:
        """What it said of the cluster when that was up."""
        return self._told

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, verb: str, **asked: object) -> dict[str, Any]:
        """Have it do something. Raises CloudError where that cannot be done, HostUnreachable where it does not answer.

        One that does not answer is ended.
        """
        try:
            return self._asked({"verb": verb, **asked}, _ANSWER_S)
        except HostUnreachable:
            self.close()
            raise

    def close(self) -> None:
        """Have it end the cluster, and wait for that; doing it twice is fine."""
        with suppress(OSError):
            self._input.close()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _asked(self, line: Mapping[str, Any], within_s: float) -> dict[str, Any]:
        with self._asking:
            try:
                self._input.write(json.dumps(line).encode() + b"\n")
                self._input.flush()
                answer = json.loads(self._answers.get(timeout=within_s))
                failed = answer.get("failed")
                told = {} if failed else dict(answer["told"])
            except queue.Empty as error:
                raise HostUnreachable(f"the keeper of the Dask cluster did not answer in {within_s:.0f} s") from error
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise HostUnreachable(f"the keeper of the Dask cluster has ended{self._last_words()}") from error
        if failed:
            message, code, hint = (str(failed.get(name, "")) for name in ("message", "code", "hint"))
            raise CloudError(f"the Dask cluster: {message}", code=code, hint=hint)
        return told

    def _listen(self, output: IO[bytes]) -> None:
        with output:
            while line := output.readline(_MOST_LINE_BYTES):
                self._answers.put(line)
        self._answers.put(b"")  # no JSON: there will be no answer

    def _last_words(self) -> str:
        with suppress(OSError):
            lines = self._log.read_text(errors="replace").splitlines()[-_MOST_TOLD_LINES:]
            return ": " + " | ".join(lines) if lines else ""
        return ""


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process was started without pipes")
    return pipe
