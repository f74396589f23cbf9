"""Run an image's component documents on a rented machine, within a time for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CommandFailed, CommandTimedOut, HostUnreachable, RampartError
from imagebuilder import documents
from imagebuilder.catalogue import Component
from imagebuilder.ports import Machines, Rented
from imagebuilder.running import Execution, Machine, ObjectStore, ask_to_restart, carry_out, life_of

_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class OverSsh:
    """Runs documents over the transports of rented machines; `objects` is S3 as documents may ask for it."""

    machines: Machines
    objects: ObjectStore | None = None

    def __call__(
        self,
        rented: Rented,
        components: Sequence[Component],
        phases: Sequence[str],
        *,
        log: Callable[[str], None],
        timeout_s: float,
    ) -> Rented:
        """Run the phases; gives the machine, reconnected where it restarted. Raises as `RunDocuments` says."""
        reached = [rented]

        def restart() -> Rented:
            transport = reached[-1].transport
            before = life_of(transport)
            ask_to_restart(transport)
            again = self.machines.reconnected(
                reached[-1], has_restarted=lambda machine: not before or life_of(machine) != before
            )
            reached.append(again)
            return again

        with (
            _within(timeout_s, lambda: reached[-1].transport.close()),
            Machine(rented.transport, restart=lambda: restart().transport) as machine,
        ):
            executions = [self._execution(component, machine, log) for component in components]
            failure = carry_out(executions, phases, log)
            if failure is not None:
                _require(reached[-1])
        if failure is not None:
            raise CommandFailed(failure.reason, exit_code=1 if failure.exit_code is None else failure.exit_code)
        return reached[-1]

    def _execution(self, component: Component, machine: Machine, log: Callable[[str], None]) -> Execution:
        document = documents.parse(component.data, Path(f"{component.name}.yml"))
        return Execution(component.name, document, machine, values=component.parameters, log=log, objects=self.objects)


def _require(rented: Rented) -> None:
    """Raise HostUnreachable where the machine is gone: a script that fails by that looks like any that fails."""
    try:
        answer = rented.transport.run(("true",), timeout_s=_ANSWER_S)
    except CommandTimedOut as error:
        raise HostUnreachable("it does not answer any more") from error
    if answer.exit_code != 0:
        raise HostUnreachable("it ends")


@contextmanager
def _within(timeout_s: float, cut: Callable[[], None]) -> Iterator[None]:
    """Cut the connection when the time is up: whatever is waited for then ends. Raises CommandTimedOut."""
    is_late = threading.Event()

    def end() -> None:
        is_late.set()
        cut()

    timer = threading.Timer(max(0.0, timeout_s), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except RampartError as error:
        if is_late.is_set():
            raise CommandTimedOut(f"it was not done within {timeout_s:.0f} s") from error
        raise
    finally:
        timer.cancel()
