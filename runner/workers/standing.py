"""Run a submission on one instance that was up before and stays up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from contracts.errors import AskedWrongly
from contracts.instance import Instance
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned
from runner.hosts import WayIn
from runner.interruption import Interruption
from runner.layout import find_layout
from runner.ports import Instances, Transport
from runner.stages import clean_up


@dataclass(frozen=True, slots=True)
class Standing:
    """The instance's address with its host key, and where the challenge lies on it."""

    host: HostAddress
    problem: str
    image_id: str = ""
    remote_kit_folder: str | None = None


class StandingHost:
    """The host pool of one instance: a run gets it, and gives it back with nothing but its own folder removed."""

    def __init__(
        self, standing: Standing, instances: Instances, *, connect: Callable[[HostAddress], Transport]
    ) -> None:
        self._standing = standing
        self._instances = instances
        self._connect = connect

    def look(self) -> HostLayout:
        """Find where the challenge lies on the host. Raises HostKeyRefused, HostUnreachable or LayoutMissing."""
        standing = self._standing
        transport = self._connect(standing.host)
        try:
            return find_layout(transport, problem=standing.problem, remote_kit_folder=standing.remote_kit_folder)
        finally:
            transport.close()

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:  # noqa: ARG002
        standing = self._standing
        return Provisioned(claimed, standing.host, self.look(), standing.image_id, is_standing=True)

    def connect(self, provisioned: Provisioned) -> Transport:
        return self._connect(provisioned.host)

    def is_gone(self, provisioned: Provisioned) -> bool:
        found = self._instances.instance(provisioned.host.host_id)
        return found is None or found.has_ended

    def release(self, provisioned: Provisioned) -> None:
        clean_up.give_back(provisioned, lambda: self._connect(provisioned.host))


def running_instance(instances: Instances, instance_id: str, *, region: str, way_in: WayIn) -> Instance:
    """Find the instance; raises AskedWrongly unless it runs and has an address to be reached at."""
    found = instances.instance(instance_id)
    if found is None or found.state != "running" or not way_in.dialled(found):
        what = "is not there" if found is None else f"is {found.state}"
        hint = f"what is up: aws ec2 describe-instances --region {region}"
        raise AskedWrongly(f"instance {instance_id} {what} in {region}", hint=hint)
    return found


def host_key_in(text: str) -> str:
    """Read the key in a `.pub` file, or in a line of known_hosts; raises AskedWrongly where there is none."""
    for line in text.splitlines():
        words = line.split()
        for kind, key in pairwise(words):
            if kind.startswith(("ssh-", "ecdsa-")):
                return f"{kind} {key}"
    hint = "it must be the host's public key as in /etc/ssh/ssh_host_ed25519_key.pub"
    raise AskedWrongly("the file holds no host key", hint=hint)
