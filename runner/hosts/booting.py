"""Wait until a launched instance answers over SSH with the key it was given, and has one of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from contracts.errors import (
    BootTimeout,
    HostGone,
    HostKeyRefused,
    HostUnreachable,
    SpotReclaimed,
    StoreRefuses,
    StoreUnavailable,
)
from contracts.instance import Instance
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned
from runner.hosts.launching import Placed
from runner.hosts.rotating import Rotation, RotationDoors
from runner.hosts.settings import LaunchSettings
from runner.hosts.watching import Watch
from runner.interruption import Interruption
from runner.layout import find_layout
from runner.ports import Launches, Transport

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


class Booting:
    """The time between EC2's answer and the host's."""

    def __init__(
        self,
        settings: LaunchSettings,
        watch: Watch,
        *,
        launches: Launches,
        connect: Callable[[HostAddress], Transport],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._watch = watch
        self._launches = launches
        self._connect = connect
        self._now = now

    def await_host(self, claimed: Claimed, placed: Placed, stop: Interruption) -> Provisioned:
        """Give the run its host.

        Raises BootTimeout, HostKeyRefused, HostKeyNotRotated, HostGone, LeaseLost, Interrupted.
        """
        rotation = self._rotation(claimed, placed, stop)
        deadline = self._now() + timedelta(seconds=self._settings.boot_timeout_s)
        reason, pause_s = "it has no address yet", _FIRST_PAUSE_S
        while True:
            instance = self._seen(placed, stop)
            if instance is not None and instance.state == "running" and self._settings.way_in.dialled(instance):
                try:
                    return self._provisioned(claimed, instance, rotation)
                except (HostKeyRefused, StoreRefuses):
                    raise
                except (HostUnreachable, StoreUnavailable) as error:
                    reason = error.message
                    stop.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            if self._now() >= deadline:
                raise self._boot_timeout(placed, reason)

    def _seen(self, placed: Placed, stop: Interruption) -> Instance | None:
        instance = self._watch.look(placed.instance_id, sleep=stop.sleep)
        if instance is None and not self._watch.is_settling(placed.instance_id):
            raise HostGone(f"instance {placed.instance_id} has ended since it was launched")
        if instance is not None and instance.has_ended:
            lost = SpotReclaimed if instance.was_reclaimed else HostGone
            why = instance.reason or "no reason given"
            raise lost(f"instance {instance.instance_id} ended while booting: {why}")
        return instance

    def _rotation(self, claimed: Claimed, placed: Placed, stop: Interruption) -> Rotation:
        work = claimed.work
        doors = RotationDoors(
            connect=self._connect,
            note=lambda own_key: self._launches.note_own_key(work, placed.instance_id, own_key),
            now=self._now,
            sleep=stop.sleep,
        )
        return Rotation(work, launch_key=placed.host_key, own_key=placed.own_key, doors=doors)

    def _provisioned(self, claimed: Claimed, instance: Instance, rotation: Rotation) -> Provisioned:
        settings = self._settings

        def address(host_key: str) -> HostAddress:
            return settings.way_in.host(instance, user=settings.user, host_key=host_key, key_path=settings.key_path)

        def look(transport: Transport) -> HostLayout:
            return find_layout(transport, problem=settings.problem, remote_kit_folder=settings.remote_kit_folder)

        host, layout = rotation.settled(address, look)
        return Provisioned(claimed=claimed, host=host, layout=layout, image_id=instance.image_id)

    def _boot_timeout(self, placed: Placed, reason: str) -> BootTimeout:
        waited = f"{self._settings.boot_timeout_s:.0f} s"
        message = f"instance {placed.instance_id} did not answer within {waited}: {reason}"
        return BootTimeout(message, hint=self._settings.way_in.hint)
