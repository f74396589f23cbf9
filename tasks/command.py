"""Make a function a command: expected failures become one line and an exit code, never a traceback."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from invoke import Task, task

from contracts.errors import ImageBuildFailed, RampartError


def command(**options: Any) -> Callable[[Callable[..., None]], Task[Any]]:
    """Like invoke's `task`, with our way of failing. `options` are those of `invoke.task`."""

    def decorate(body: Callable[..., None]) -> Task[Any]:
        @functools.wraps(body)
        def guarded(*arguments: Any, **named: Any) -> None:
            try:
                body(*arguments, **named)
            except RampartError as error:
                _complain(error)
                sys.exit(error.exit_code)
            except KeyboardInterrupt:
                print("interrupted", file=sys.stderr)
                sys.exit(130)

        made: Task[Any] = task(**options)(guarded)
        return made

    return decorate


def _complain(error: RampartError) -> None:
    from tasks import console

    if isinstance(error, ImageBuildFailed):
        for line in error.log_tail:
            console.say(f"  | {line}")
    for number, line in enumerate(error.message.splitlines()):
        console.say(f"error: {line}" if number == 0 else line, style="red")
    if error.hint:
        console.say(f"hint: {error.hint}")
