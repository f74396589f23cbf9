"""Give each run an EC2 instance of its own, from launch to termination."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from contracts.errors import BootTimeout, CloudError, HostGone, HostKeyRefused, HostUnreachable
from contracts.instance import Instance, Launch, LaunchRequest
from contracts.work import Claimed, HostAddress, Provisioned
from runner.host_boot import render_user_data
from runner.interruption import Interruption
from runner.layout import find_layout
from runner.ports import Instances, Launches, Transport

_log = logging.getLogger(__name__)
_FIRST_PAUSE_S = 0.1
_MARGIN_S = 900.0  # for pushing and pulling, beyond boot and run, before a host ends itself
_OF_ONE_ZONE = frozenset(
    {
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "Unsupported",
    }
)
"""EC2's refusals that say nothing about another availability zone; not every zone has every instance type."""


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """What all hosts of an event have in common. `stack` and `event` become tags."""

    stack: str
    event: str
    problem: str
    image_id: str
    instance_type: str
    user: str
    key_path: Path
    launch_template_id: str = ""
    key_name: str = ""
    security_group_id: str = ""
    subnet_ids: tuple[str, ...] = ()
    spot: bool = False
    boot_timeout_s: float = 600.0
    remote_kit_folder: str | None = None


@dataclass(frozen=True, slots=True)
class HostKey:
    """A host's own SSH key: the private half goes to the instance and is then forgotten."""

    private: str
    public: str


class Ec2Hosts:
    """The host pool on EC2: one instance per run, released by termination."""

    def __init__(
        self,
        settings: LaunchSettings,
        instances: Instances,
        *,
        connect: Callable[[HostAddress], Transport],
        new_host_key: Callable[[], HostKey],
        now: Callable[[], datetime],
        interruption: Interruption,
        launches: Launches | None = None,
        longest_pause_s: float = 2.0,
    ) -> None:
        self._settings = settings
        self._instances = instances
        self._connect = connect
        self._new_host_key = new_host_key
        self._now = now
        self._interruption = interruption
        self._launches = launches
        self._longest_pause_s = longest_pause_s
        self._subnet_turn = 0
        self._lock = threading.Lock()

    def acquire(self, claimed: Claimed) -> Provisioned:
        """Launch an instance and wait until it answers with the key it was given; it is terminated if that fails.

        A launch that an earlier dispatcher began for this very run is gone on with. Raises HostGone where that one's
        instance has ended.
        """
        launch, launched = self._launched(claimed, self._new_host_key())
        try:
            self._note_answer(launch, launched.instance_id)
            return self._await_host(claimed, launched, launch.host_key)
        except BaseException as error:
            if isinstance(error, HostKeyRefused):
                _log.critical("host key refused: %s", error, extra={"action": "host-key-refused"})
            self._give_up(launched)
            raise

    def connect(self, provisioned: Provisioned) -> Transport:
        return self._connect(provisioned.host)

    def is_gone(self, provisioned: Provisioned) -> bool:
        found = self._instances.instance(provisioned.host.host_id)
        return found is None or found.has_ended

    def release(self, provisioned: Provisioned) -> None:
        self._instances.terminate([provisioned.host.host_id])

    def _give_up(self, launched: Instance) -> None:
        """End a host that cannot be used; a refusal of that must not hide why it cannot."""
        try:
            self._instances.terminate([launched.instance_id])
        except CloudError as error:
            _log.error("%s: %s ends itself at its deadline", error, launched.instance_id, extra={"action": "end-host"})

    def _launched(self, claimed: Claimed, host_key: HostKey) -> tuple[Launch, Instance]:
        """Launch in the subnet whose turn it is, else in the next one that can; raises what the last one said."""
        *others, last = self._subnets()
        for subnet in others:
            launch = self._intended(claimed, host_key, subnet)
            try:
                return launch, self._asked(launch)
            except CloudError as error:
                if error.code not in _OF_ONE_ZONE:
                    raise
                _log.warning("%s: trying another subnet", error.message, extra={"action": "launch-elsewhere"})
                self._note_answer(launch, "")
        launch = self._intended(claimed, host_key, last)
        return launch, self._asked(launch)

    def _intended(self, claimed: Claimed, host_key: HostKey, subnet: str) -> Launch:
        """What to ask EC2 for: what an earlier dispatcher asked for this run, where it did."""
        launch = Launch(self._request(claimed, host_key, subnet), host_key.public)
        return launch if self._launches is None else self._launches.intend(claimed.work, launch)

    def _asked(self, launch: Launch) -> Instance:
        """Ask EC2, where it has not answered yet: the same request under the same token never starts a second one."""
        if launch.instance_id:
            found = self._instances.instance(launch.instance_id)
            if found is None or found.has_ended:
                raise HostGone(f"instance {launch.instance_id} has ended since it was launched")
            return found
        try:
            return self._instances.launch(launch.request)
        except CloudError as error:
            if error.code == "IdempotentInstanceTerminated":
                raise HostGone("the instance that was launched for this run has ended") from error
            raise

    def _note_answer(self, launch: Launch, instance_id: str) -> None:
        if self._launches is not None and not launch.instance_id:
            self._launches.answered(launch.request.client_token, instance_id)

    def _request(self, claimed: Claimed, host_key: HostKey, subnet: str) -> LaunchRequest:
        settings, work = self._settings, claimed.work
        lifetime_s = settings.boot_timeout_s + work.timeout_s + _MARGIN_S
        run = f"{settings.stack}/{work.event}/{work.submission_id}/{work.attempt}/{claimed.claimed_at.isoformat()}"
        # EC2 refuses a token that comes back with other parameters
        token = hashlib.sha256(f"{run}/{subnet}".encode()).hexdigest()
        expires_at = self._now() + timedelta(seconds=lifetime_s)
        return LaunchRequest(
            image_id=settings.image_id,
            instance_type=settings.instance_type,
            client_token=token,
            tags={
                "Name": f"rampart-{settings.event}",
                "rampart:stack": settings.stack,
                "rampart:event": settings.event,
                "rampart:launch": token[:32],
                "rampart:expires-at": expires_at.isoformat(timespec="seconds"),
            },
            user_data=render_user_data(
                host_key_private=host_key.private,
                host_key_public=host_key.public,
                lifetime_s=lifetime_s,
                user=settings.user,
            ),
            launch_template_id=settings.launch_template_id,
            key_name=settings.key_name,
            security_group_id=settings.security_group_id,
            subnet_id=subnet,
            spot=settings.spot,
        )

    def _subnets(self) -> tuple[str, ...]:
        """All subnets, beginning with the one whose turn it is; one empty name leaves the choice to EC2."""
        subnets = self._settings.subnet_ids or ("",)
        with self._lock:
            self._subnet_turn += 1
            turn = self._subnet_turn % len(subnets)
        return subnets[turn:] + subnets[:turn]

    def _await_host(self, claimed: Claimed, launched: Instance, host_key: str) -> Provisioned:
        deadline = self._now() + timedelta(seconds=self._settings.boot_timeout_s)
        instance, reason = launched, "it has no address yet"
        pause_s = _FIRST_PAUSE_S
        while True:
            if instance.address and instance.state == "running":
                try:
                    return self._provisioned(claimed, instance, host_key)
                except HostKeyRefused:
                    raise
                except HostUnreachable as error:
                    reason = error.message
            if self._now() >= deadline:
                raise self._boot_timeout(instance, reason)
            self._interruption.sleep(pause_s)
            pause_s = min(2 * pause_s, self._longest_pause_s)
            instance = self._instances.instance(launched.instance_id) or launched
            if instance.has_ended:
                raise HostGone(
                    f"instance {instance.instance_id} ended while booting: {instance.reason or 'no reason given'}"
                )

    def _provisioned(self, claimed: Claimed, instance: Instance, host_key: str) -> Provisioned:
        settings = self._settings
        host = HostAddress(
            host_id=instance.instance_id,
            address=instance.address,
            user=settings.user,
            host_key=host_key,
            key_path=settings.key_path,
        )
        transport = self._connect(host)
        try:
            layout = find_layout(transport, problem=settings.problem, remote_kit_folder=settings.remote_kit_folder)
        finally:
            transport.close()
        return Provisioned(claimed=claimed, host=host, layout=layout, image_id=settings.image_id)

    def _boot_timeout(self, instance: Instance, reason: str) -> BootTimeout:
        waited = f"{self._settings.boot_timeout_s:.0f} s"
        hint = "may this machine reach port 22 (infra.allowed_cidrs), and does the image run sshd?"
        return BootTimeout(f"instance {instance.instance_id} did not answer within {waited}: {reason}", hint=hint)
