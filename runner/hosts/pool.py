"""Give each run an EC2 instance of its own, from launch to termination."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from contracts.errors import CloudError, HostGone, HostKeyRefused, LeaseLost, RunOver, SpotReclaimed
from contracts.host_boot import HostKey
from contracts.work import Claimed, HostAddress, Provisioned
from runner.hosts.booting import Booting
from runner.hosts.ending import Ending
from runner.hosts.launching import LaunchDoors, Launching
from runner.hosts.notices import Notices
from runner.hosts.settings import TEMPO, LaunchSettings, Tempo
from runner.hosts.unkept import Unkept
from runner.hosts.watching import Watch
from runner.interruption import Interrupted, Interruption, Wish
from runner.ports import Instances, Launches, Transport
from runner.progress import Observer, SecurityEvent
from runner.stages import clean_up

_log = logging.getLogger(__name__)


class Ec2Hosts:
    """The host pool on EC2: one instance per run, released by termination.

    What many runs want at the same time is asked for in one call. `clock` is monotonic, in seconds; `sleep` paces what
    must go on after everything was asked to stop. `image` is asked before each launch for the id of the image to launch
    from; a launch that is asked again keeps its own. `observe` is told of hosts that show a wrong key.
    """

    def __init__(
        self,
        settings: LaunchSettings,
        instances: Instances,
        *,
        image: Callable[[], str],
        connect: Callable[[HostAddress], Transport],
        new_host_key: Callable[[], HostKey],
        now: Callable[[], datetime],
        interruption: Interruption,
        launches: Launches | None = None,
        observe: Observer = lambda _: None,
        tempo: Tempo = TEMPO,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._instances = instances
        self._connect = connect
        self._interruption = interruption
        self._sleep = sleep
        self._settling_s = tempo.settling
        self._way_in = settings.way_in
        self._event = settings.event
        self._observe = observe
        launches = launches or Unkept()
        tags = {"rampart:stack": settings.stack, "rampart:event": settings.event}
        self._watch = Watch(instances, tags, tempo=tempo, clock=clock)
        doors = LaunchDoors(
            instances=instances,
            launches=launches,
            image=image,
            new_host_key=new_host_key,
            now=now,
            clock=clock,
            hosts_up=lambda: len(self._watch.expected()),
            expect=self._watch.expect,
            surplus=self._end_surplus,
        )
        self._launching = Launching(settings, doors, tempo)
        self._booting = Booting(settings, self._watch, launches=launches, connect=connect, now=now)
        self._ending = Ending(instances, self._watch, tempo=tempo, clock=clock, sleep=sleep)
        self._notices = Notices(instances, tempo.notice) if settings.spot else None

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        """Launch an instance and wait until it answers with a key of its own; it is terminated if that fails.

        It is left to whoever adopts the run where the dispatcher stops and hands its runs back, and to whoever has
        adopted it already (LeaseLost). A launch that an
        earlier dispatcher began for this very run is gone on with. Raises HostGone where that one's instance has ended,
        CapacityMissing where there is none at the moment.
        """
        stop = interruption or self._interruption
        placed = self._launching.place(claimed)
        self._watch.expect(placed.instance_id, placed.age_s)
        try:
            return self._booting.await_host(claimed, placed, stop)
        except BaseException as error:
            if isinstance(error, HostKeyRefused):
                self._alarm(placed.instance_id, error)
            if not _is_another_ones(error) and not (isinstance(error, Interrupted) and stop.wish is Wish.HAND_BACK):
                self._give_up(placed.instance_id)
            raise

    def connect(self, provisioned: Provisioned) -> Transport:
        """Open a connection to the run's host. Raises HostUnreachable, and HostGone where another is at its address."""
        self._watch.expect(provisioned.host.host_id, self._settling_s)
        try:
            return self._connect(self._way_in.renewed(provisioned.host))
        except HostKeyRefused as error:
            if self._has_left(provisioned):
                raise HostGone(f"host {provisioned.host.host_id} ended during the run") from error
            self._alarm(provisioned.host.host_id, error)
            raise

    def is_gone(self, provisioned: Provisioned) -> bool:
        """Whether EC2 shows, in a look from now on, that the instance has ended. Raises SpotReclaimed."""
        instance_id = provisioned.host.host_id
        found = self._watch.look(instance_id, sleep=self._sleep)
        if found is not None and found.was_reclaimed:
            raise SpotReclaimed(f"EC2 took {instance_id} back: {found.reason}")
        return found.has_ended if found is not None else not self._watch.is_settling(instance_id)

    def release(self, provisioned: Provisioned) -> None:
        if provisioned.is_standing:
            clean_up.give_back(provisioned, lambda: self.connect(provisioned))
        else:
            self._ending.end(provisioned.host.host_id)

    def limit(self) -> int | None:
        """How many hosts the account allows, as far as a quota was met; raised again by one now and then."""
        return self._launching.limit.now()

    def on_notice(self, provisioned: Provisioned, call: Callable[[str], None]) -> Callable[[], None]:
        """Have `call` called once when EC2 marks the run's spot instance; returns how to take that back."""
        if self._notices is None or provisioned.claimed.work.on_demand:
            return lambda: None
        return self._notices.listen(provisioned.host.host_id, call)

    def _has_left(self, provisioned: Provisioned) -> bool:
        """Whether its address may be another machine's by now."""
        try:
            return self.is_gone(provisioned)
        except CloudError:
            return False

    def _alarm(self, host_id: str, error: HostKeyRefused) -> None:
        _log.critical("host key refused: %s", error, extra={"action": "host-key-refused", "host": host_id})
        self._observe(SecurityEvent(self._event, "host-key-refused", host_id))

    def _give_up(self, instance_id: str) -> None:
        """End a host that cannot be used; a refusal of that must not hide why it cannot."""
        try:
            self._ending.end(instance_id)
        except CloudError as error:
            _log.error("%s: %s ends itself at its deadline", error, instance_id, extra={"action": "end-host"})

    def _end_surplus(self, instance_ids: Sequence[str]) -> None:
        """End what was launched for runs that have ended meanwhile."""
        _log.warning("no run holds %s: ended", ", ".join(instance_ids), extra={"action": "end-surplus"})
        try:
            self._instances.terminate(instance_ids)
        except CloudError as error:
            _log.error("%s: they end themselves at their deadline", error, extra={"action": "end-host"})


def _is_another_ones(error: BaseException) -> bool:
    """Whether another dispatcher goes on with the run, on this very instance."""
    return isinstance(error, LeaseLost) and not isinstance(error, RunOver)
