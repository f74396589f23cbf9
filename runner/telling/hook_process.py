"""Run one of an organiser's hooks to its end."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from contracts.event_secrets import is_secret_name
from runner.clip import clipped
from runner.interruption import Interruption
from runner.stages import log_text

_log = logging.getLogger(__name__)
_SHELL_SYNTAX = re.compile(r"[;&|<>$`(){}*?~#\n]")
_OF_THE_CLOUD = ("AWS_", "PULUMI_")  # which account it is, is not a hook's business either
_OUTPUT_BYTES = 8192


def argv_of(line: str) -> tuple[str, ...]:
    """Split a hook into its words; one that uses what only a shell understands is an organiser's own shell line."""
    return ("/bin/sh", "-c", line) if _SHELL_SYNTAX.search(line) else tuple(shlex.split(line))


def without_secrets(environ: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """Give an environment without what is named like a secret, is one of `secrets`, or is a URL with one in it."""
    return {
        name: value
        for name, value in environ.items()
        if not (is_secret_name(name) or name.upper().startswith(_OF_THE_CLOUD))
        and not any(value == secret or f":{secret}@" in value for secret in secrets)
    }


def run(line: str, environ: Mapping[str, str], folder: Path, *, limit_s: float, given_up: Interruption) -> None:
    """Run a hook in `folder`, for `limit_s` seconds at most, or until it is given up. What goes wrong is logged."""
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                argv_of(line), env=dict(environ), cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            _log.error("hook `%s` could not be started: %s", line, error, extra={"action": "hook-failed"})
            return
        wrong = _wrong_with(process, limit_s, given_up)
        said = _tail(output)
    if wrong:
        _log.error("hook `%s` %s%s", line, wrong, said, extra={"action": "hook-failed"})
    else:
        _log.info("hook `%s` ran%s", line, said, extra={"action": "hook-ran"})


def _wrong_with(process: subprocess.Popen[bytes], limit_s: float, given_up: Interruption) -> str:
    """Wait for the hook; gives what is to be said against its end."""
    reasons: list[str] = []

    def end(why: str) -> None:
        reasons.append(why)
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(limit_s, end, args=(f"was ended after {limit_s:g} s",))
    timer.daemon = True
    timer.start()
    forget = given_up.on_ask(lambda: end("was ended, since the dispatcher has"))
    try:
        process.wait()
    finally:
        timer.cancel()
        forget()
    if process.returncode == 0:
        return ""
    return reasons[0] if reasons else f"ended with exit code {process.returncode}"


def _tail(output: IO[bytes]) -> str:
    output.seek(max(output.seek(0, os.SEEK_END) - _OUTPUT_BYTES, 0))
    text = log_text.clean(output.read(_OUTPUT_BYTES)).strip()
    return f": {clipped(text, head=500, tail=1500)}" if text else ""
