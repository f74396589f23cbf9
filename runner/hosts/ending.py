"""End instances, many in one call, until EC2 shows that they have ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.errors import CloudError
from runner.hosts.settings import Tempo
from runner.hosts.together import Together
from runner.hosts.watching import Watch
from runner.ports import Instances

_log = logging.getLogger(__name__)
_MOST = 100
_LOOKS_A_TIME = 3  # before EC2 is told once more


@dataclass(frozen=True, slots=True)
class _Told:
    """What EC2 answered to a whole batch: whom an error is about is seen from who stays up."""

    error: CloudError | None = None


class Ending:
    """The way back of every host; `sleep` paces the looks and goes on after everything was asked to stop."""

    def __init__(
        self,
        instances: Instances,
        watch: Watch,
        *,
        tempo: Tempo,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._instances = instances
        self._watch = watch
        self._tempo = tempo
        self._clock = clock
        self._sleep = sleep
        self._together: Together[str, _Told] = Together(self._tell, gather_s=tempo.gather, most=_MOST)

    def end(self, instance_id: str) -> None:
        """End an instance and see that it has ended: EC2 may agree and not do it. Raises CloudError."""
        deadline = self._clock() + self._tempo.ending
        while True:
            problem = self._together.ask(instance_id).error
            for _ in range(_LOOKS_A_TIME):
                try:
                    if self._has_ended(instance_id):
                        self._watch.forget(instance_id)
                        return
                except CloudError as error:
                    problem = error
            if self._clock() >= deadline:
                raise problem or _still_up(instance_id)
            _log.warning("%s is told once more to end", instance_id, extra={"action": "end-host-again"})

    def _tell(self, instance_ids: Sequence[str]) -> list[_Told]:
        try:
            self._instances.terminate(sorted(set(instance_ids)))
        except CloudError as error:
            return [_Told(error)] * len(instance_ids)
        return [_Told()] * len(instance_ids)

    def _has_ended(self, instance_id: str) -> bool:
        found = self._watch.look(instance_id, sleep=self._sleep)
        return found.is_released if found is not None else not self._watch.is_settling(instance_id)


def _still_up(instance_id: str) -> CloudError:
    hint = "its own deadline ends it; else: invoke reap"
    return CloudError(f"EC2 agreed to end {instance_id} and still shows it up", code="StillRunning", hint=hint)
