"""Make a function a command: expected failures become one line and an exit code, never a traceback."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from invoke.context import Context
from invoke.tasks import Task, task

from contracts.errors import ImageBuildFailed, RampartError
from tasks import typed

EVENT_HELP = {
    "event": "the event's name, or the path of its file (may be left out where there is one event only)",
    "config": "the deployment's config.yml, where it is not found upwards from the event file",
}
LOCAL_HELP = {"local": "against the running local cloud (invoke local-cloud) instead of AWS"}
JSON_HELP = {"json": "print JSON"}
SUBMISSION_HELP = {"team": "the team's name", "submission": "the submission's name"}


def command(**options: Any) -> Callable[[Callable[..., None]], Task[Any]]:
    """Like invoke's `task`, with our way of failing, for a body that needs no context.

    `options` are those of `invoke.task`; the body's parameters become the command's options.
    """

    def decorate(body: Callable[..., None]) -> Task[Any]:
        def guarded(context: Context, *arguments: Any, **named: Any) -> None:  # noqa: ARG001 - invoke hands it over
            with typed.typed(named):
                run(*arguments, **named)

        def run(*arguments: Any, **named: Any) -> None:
            from tasks import unforeseen

            unforeseen.heed()
            try:
                with _terminated_as_by_ctrl_c():
                    body(*arguments, **named)
                sys.stdout.flush()
            except RampartError as error:
                _complain(error)
                sys.exit(error.exit_code)
            except BrokenPipeError:
                _drop_output()
                sys.exit(1)
            except OSError as error:  # a full disk, a folder nobody may write to: nothing a traceback would explain
                _complain(RampartError(f"this machine refused: {error}"))
                sys.exit(1)
            except KeyboardInterrupt as interrupt:
                print("interrupted", file=sys.stderr)
                sys.exit(128 + (signal.SIGTERM if isinstance(interrupt, _Terminated) else signal.SIGINT))

        guarded.__name__ = body.__name__
        guarded.__doc__ = body.__doc__
        guarded.__module__ = body.__module__
        guarded.__signature__ = _with_context(body)  # type: ignore[attr-defined]  # what invoke reads options from
        made: Task[Any] = task(klass=_Command, **options)(guarded)
        return made

    return decorate


class _Command(Task[Any]):
    """A task none of whose options is `-h`: who asks for help that way must not start anything."""

    def arg_opts(self, name: str, default: str, taken_names: set[str]) -> dict[str, Any]:
        return super().arg_opts(name, default, {*taken_names, "h"})


class _Terminated(KeyboardInterrupt):
    """SIGTERM came."""


@contextmanager
def _terminated_as_by_ctrl_c() -> Iterator[None]:
    """Clean up on SIGTERM too: left alone, it ends Python without that. Commands may set handlers of their own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the form signal handlers have
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _with_context(body: Callable[..., None]) -> inspect.Signature:
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Signature([context, *inspect.signature(body).parameters.values()])


def _drop_output() -> None:
    """Whoever read our output has seen enough (`| head`); what is still buffered must not fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(error: RampartError) -> None:
    from tasks import console

    if isinstance(error, ImageBuildFailed):
        for line in error.log_tail:
            console.say(f"  | {line}")
    for number, line in enumerate(error.message.splitlines()):
        console.say(f"error: {line}" if number == 0 else line, style="red")
    if error.hint:
        console.say(f"hint: {typed.again(error.hint)}")
