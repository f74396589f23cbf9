"""Have a machine for a while, and be sure that it ends."""

from __future__ import annotations

import dataclasses
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from contracts.errors import (
    BootTimeout,
    CloudError,
    CommandFailed,
    CommandTimedOut,
    HostGone,
    HostKeyRefused,
    HostUnreachable,
)
from contracts.host_boot import HostKey, render_user_data
from contracts.image import EVENT_TAG
from contracts.instance import Instance, LaunchAnswer, LaunchRequest, Pool
from contracts.work import HostAddress
from imagebuilder.ports import Rented, Transport

RENTED_TAG = "rampart:rented"
"""Marks the one machine of one renting, so that it is found where EC2's answer got lost."""

_EXPIRES_TAG = "rampart:expires-at"
_END_LATER = """as_root=; [ "$(id -u)" = 0 ] || as_root='sudo -n'
exec $as_root shutdown -h "+$1"
"""
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_LOOKS_FOR_LOST = 30
_PAUSE_FOR_LOST_S = 1.0
"""EC2 may take some seconds to show what it launched."""


class Account(Protocol):
    """EC2 as a renting uses it. Every verb may raise CloudError."""

    def launch(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        """Start the instance asked for."""
        ...

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        """Every instance that carries all of `tags`, ended ones included."""
        ...

    def instance(self, instance_id: str) -> Instance | None:
        """One instance, or None where EC2 does not know it."""
        ...

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; those EC2 does not know are passed over."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where machines are rented for an event, and who gets in. The first group lets SSH in.

    With a launch template machines are what the event's hosts are: encrypted, and without credentials.
    """

    event: str
    stack: str
    user: str
    key_name: str
    group_ids: tuple[str, ...]
    subnet_ids: tuple[str, ...] = ()
    launch_template_id: str = ""
    boot_timeout_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Clockwork:
    """By which clock it is waited, and how."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep


class Renting:
    """Machines of one event, by EC2; `address_of` says by which way one is reached that shows the given key."""

    def __init__(
        self,
        place: Place,
        account: Account,
        *,
        address_of: Callable[[Instance, str], HostAddress],
        connect: Callable[[HostAddress], Transport],
        new_host_key: Callable[[], HostKey],
        clockwork: Clockwork | None = None,
    ) -> None:
        self._place = place
        self._account = account
        self._address_of = address_of
        self._connect = connect
        self._new_host_key = new_host_key
        self._time = clockwork or Clockwork()

    @contextmanager
    def rented(
        self, image_id: str, *, instance_type: str, purpose: str, lifetime_s: float, profile: str = ""
    ) -> Iterator[Rented]:
        """Launch one machine, wait until it answers, and terminate it when the block is left, however it is left.

        Raises CloudError, BootTimeout, HostKeyRefused or HostGone.
        """
        token, key = uuid.uuid4().hex, self._new_host_key()
        request = self._request(image_id, instance_type, purpose, lifetime_s, profile, token, key)
        launched: list[str] = []
        rented: Rented | None = None
        try:
            launched += self._launched(request, token)
            began = self._time.clock()
            instance, transport = self._answering(launched[0], key.public)
            rented = Rented(instance, key.public, transport, self._time.clock() - began)
            yield rented
        finally:
            if rented is not None:
                rented.transport.close()
            if launched:
                self._account.terminate(launched)

    def reconnected(self, rented: Rented, *, has_restarted: Callable[[Transport], bool]) -> Rented:
        """The same machine after a restart that was asked for: waits until it answers and `has_restarted`.

        Raises CloudError, BootTimeout, HostKeyRefused or HostGone, and CommandFailed where its end cannot be set.
        """
        rented.transport.close()
        instance, transport = self._answering(rented.instance.instance_id, rented.host_key, has_restarted)
        try:
            self._set_end(instance, transport)
        except BaseException:
            transport.close()
            raise
        return dataclasses.replace(rented, instance=instance, transport=transport)

    def _set_end(self, instance: Instance, transport: Transport) -> None:
        """Have the machine power itself off when its time is up: user data says so at the first boot alone."""
        expires_at = instance.tags.get(_EXPIRES_TAG)
        if expires_at is None:
            return
        left_s = (datetime.fromisoformat(expires_at) - self._time.now()).total_seconds()
        minutes = str(max(1, round(left_s / 60)))
        try:
            done = transport.run(("sh", "-c", _END_LATER, "sh", minutes))
        except CommandTimedOut as error:
            raise HostUnreachable(error.message) from error
        if done.exit_code != 0:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise CommandFailed(f"the machine does not take its end: {said}", exit_code=done.exit_code)

    def _request(
        self, image_id: str, instance_type: str, purpose: str, lifetime_s: float, profile: str, token: str, key: HostKey
    ) -> LaunchRequest:
        place = self._place
        expires_at = self._time.now() + timedelta(seconds=lifetime_s)
        return LaunchRequest(
            image_id=image_id,
            client_token=token,
            tags={
                "Name": f"rampart-{place.event}-{purpose}",
                EVENT_TAG: place.event,
                "rampart:stack": place.stack,
                _EXPIRES_TAG: expires_at.isoformat(timespec="seconds"),
                RENTED_TAG: token,
            },
            pools=tuple(Pool(instance_type, subnet) for subnet in place.subnet_ids or ("",)),
            user_data=render_user_data(lifetime_s=lifetime_s, user=place.user, host_key=key),
            launch_template_id=place.launch_template_id,
            key_name=place.key_name,
            security_group_id=place.group_ids[0] if place.group_ids else "",
            further_group_ids=place.group_ids[1:],
            profile=profile,
        )

    def _launched(self, request: LaunchRequest, token: str) -> tuple[str, ...]:
        try:
            answer = self._account.launch(request)
        except (CloudError, KeyboardInterrupt) as error:
            if not isinstance(error, CloudError) or error.is_uncertain:
                self._end_unheard_of(token)
            raise
        if not answer.instance_ids:
            refusal = answer.refusals[0] if answer.refusals else None
            why = f"{refusal.message} [{refusal.code}]" if refusal else "EC2 gave no reason"
            hint = "wait a while, or set another instance type in the event file"
            raise CloudError(
                f"no machine of the type {request.pools[0].instance_type}: {why}",
                code=refusal.code if refusal else "",
                hint=hint,
            )
        return answer.instance_ids

    def _answering(
        self, instance_id: str, host_key: str, is_ready: Callable[[Transport], bool] = lambda _: True
    ) -> tuple[Instance, Transport]:
        """Wait until the machine answers with its key, and is ready."""
        deadline = self._time.clock() + self._place.boot_timeout_s
        reason, pause_s = "it has no address yet", _FIRST_PAUSE_S
        while True:
            instance = self._account.instance(instance_id)
            if instance is not None and instance.has_ended:
                raise HostGone(f"instance {instance_id} ended while booting: {instance.reason or 'no reason given'}")
            if instance is not None and instance.state == "running":
                try:
                    address = self._address_of(instance, host_key)
                    if address.address:
                        transport = self._connect(address)
                        if _is(transport, is_ready):
                            return instance, transport
                        reason = "it has not restarted yet"
                except HostKeyRefused:
                    raise
                except HostUnreachable as error:
                    reason = error.message
            if self._time.clock() >= deadline:
                waited = f"{self._place.boot_timeout_s:.0f} s"
                hint = "does the image run cloud-init and sshd, and may this machine reach port 22?"
                raise BootTimeout(f"instance {instance_id} did not answer within {waited}: {reason}", hint=hint)
            self._time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _end_unheard_of(self, token: str) -> None:
        """Terminate a machine that may have been launched without our hearing of it."""
        for _ in range(_LOOKS_FOR_LOST):
            found = [one.instance_id for one in self._account.instances({RENTED_TAG: token}) if not one.is_released]
            if found:
                self._account.terminate(found)
                return
            self._time.sleep(_PAUSE_FOR_LOST_S)


def _is(transport: Transport, ready: Callable[[Transport], bool]) -> bool:
    """Ask a machine, and hang up unless it is."""
    answer = False
    try:
        answer = ready(transport)
    except CommandTimedOut as error:
        raise HostUnreachable(error.message) from error
    finally:
        if not answer:
            transport.close()
    return answer
