"""Have Pulumi's engine act on an event's stack, through the pulumi program on PATH."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pulumi import automation

from contracts.errors import RampartError, ToolMissing, UnknownName
from contracts.event import EventConfig
from tasks import console, engine_errors
from tasks.engine_events import Listener

REPOSITORY = Path(__file__).resolve().parent.parent
T = TypeVar("T")
_LOOK_UP_S = 0.5


class Engine:
    """One event's stack. `config` is the deployment's configuration, where the command was given one.

    `show` gets a line of progress at a time; `listener` holds what was heard of the last operation. Every method raises
    AskedWrongly where pulumi is not ready for it, RampartError for what fails; what was begun is waited for at an
    interrupt.
    """

    def __init__(self, event: EventConfig, show: Callable[[str], None], *, config: str | None) -> None:
        self.listener = Listener(show)
        self._event = event
        self._show = show
        self._config = config

    def preview(self) -> None:
        """Have what `up` would do told to the listener; makes the empty stack where there is none."""
        self.listener = Listener(self._show, is_preview=True)
        self._act("preview", lambda stack: stack.preview(refresh=True, on_event=self.listener.hear), self._opened)

    def up(self) -> dict[str, Any]:
        """Deploy, into a new stack where there is none; gives its outputs."""

        # what AWS itself has changed is looked at first: a fleet's target would else be set back to what it was
        def deploy(stack: automation.Stack) -> automation.UpResult:
            return stack.up(refresh=True, on_event=self.listener.hear, show_secrets=False)

        result = self._act("up", deploy, self._opened)
        told = [name for name, output in result.outputs.items() if output.secret]
        if told:
            raise RampartError(f"the program exports a secret: {', '.join(told)}", hint="the outputs are not kept")
        return {name: output.value for name, output in result.outputs.items()}

    def refresh(self) -> None:
        """Bring what Pulumi remembers in line with AWS. Raises UnknownName where there is no stack."""
        self.listener = Listener(self._show, is_refresh=True)
        self._act("refresh", lambda stack: stack.refresh(on_event=self.listener.hear, show_secrets=False), self._found)

    def destroy(self) -> None:
        """Delete all of the stack's resources. Raises UnknownName where there is no stack."""
        self._act("destroy", lambda stack: stack.destroy(on_event=self.listener.hear, show_secrets=False), self._found)

    def _act(self, doing: str, act: Callable[[automation.Stack], T], opened: Callable[[], automation.Stack]) -> T:
        try:
            return _to_its_end(lambda: act(opened()))
        except automation.CommandError as error:
            raise engine_errors.explained(error, self._event.name, doing, self.listener.problems) from error
        except automation.InvalidVersionError as error:
            raise ToolMissing(str(error), hint="install the newest: pulumi.com/docs/install") from error
        except subprocess.CalledProcessError as error:
            message = f"pulumi does not work: `pulumi version` ended with exit code {error.returncode}"
            raise ToolMissing(message, hint="install it anew: pulumi.com/docs/install") from error

    def _opened(self) -> automation.Stack:
        return automation.create_or_select_stack(self._event.name, work_dir=str(REPOSITORY), opts=self._options())

    def _found(self) -> automation.Stack:
        try:
            return automation.select_stack(self._event.name, work_dir=str(REPOSITORY), opts=self._options())
        except automation.StackNotFoundError as error:
            hint = f"deploy it first: invoke up --event {self._event.name}"
            raise UnknownName(f"pulumi knows no stack {self._event.name}", hint=hint) from error

    def _options(self) -> automation.LocalWorkspaceOptions:
        told = {"RAMPART_EVENT_FILE": str(self._event.path), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        if self._config:
            told["RAMPART_DEPLOYMENT_CONFIG"] = str(Path(self._config).absolute())
        return automation.LocalWorkspaceOptions(env_vars=told)


def _to_its_end(act: Callable[[], T]) -> T:
    """Act in a thread, so that an interrupt, which pulumi gets too, waits for what pulumi has begun."""
    given: list[T] = []
    raised: list[BaseException] = []
    ended = threading.Event()

    def body() -> None:
        try:
            given.append(act())
        except BaseException as error:
            raised.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=body, name="pulumi", daemon=True)
    try:
        thread.start()
        _await(ended)
    except KeyboardInterrupt:
        if thread.ident is not None:
            console.say("pulumi ends what it has begun (once more to leave it alone) ...")
            _await(ended)
        raise
    if raised:
        raise raised[0]
    return given[0]


def _await(ended: threading.Event) -> None:
    """Wait, and look up now and then: an interrupt that comes just before a wait begins does not end it."""
    while not ended.wait(_LOOK_UP_S):
        pass
