"""Say what to type next in the words of the command that was typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_OPTIONS: ContextVar[Mapping[str, object] | None] = ContextVar("options", default=None)
_ABOUT_AN_EVENT = re.compile(r"(invoke \S+.*? --event) ([\w-]+)(?![\w./-])")


@contextmanager
def typed(options: Mapping[str, object]) -> Iterator[None]:
    """Remember what a command was given, for as long as it runs."""
    token = _OPTIONS.set(options)
    try:
        yield
    finally:
        _OPTIONS.reset(token)


def again(text: str) -> str:
    """Let the commands in a text be about the event file, the deployment and the cloud that this command was about.

    A name that is as good as what was typed stays: `--event iris`. A path is repeated, for `iris` might be another
    event where the command is typed.
    """
    options = _OPTIONS.get() or {}
    path = str(options.get("event") or "")
    words = ["--config", str(options["config"])] if options.get("config") else []
    if options.get("local") and "--local" not in text:
        words.append("--local")

    def repeated(found: re.Match[str]) -> str:
        event = path if path.endswith((".yml", ".yaml")) else found[2]
        return f"{found[1]} {shlex.join([event, *words])}"

    return _ABOUT_AN_EVENT.sub(repeated, text)
