"""Say by which way a host is reached: the address of an instance that is up, with what stands in front of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from contracts.infra import Access
from contracts.instance import Instance
from contracts.work import HostAddress

_UNREACHED = {
    Access.PUBLIC: "may this machine reach port 22 (infra.allowed_cidrs)",
    Access.INSIDE: "is this machine in the VPC, with the server's security group",
    Access.GATEWAY: "may the gateway reach port 22 of the hosts",
    Access.EICE: "may the endpoint reach port 22 of the hosts",
}


@dataclass(frozen=True, slots=True)
class WayIn:
    """How the hosts of an event are reached.

    `gateway` is the jump host, where there is one. `tunnel` is the program that opens one of an EC2 Instance Connect
    Endpoint, with all arguments but the instance.
    """

    access: Access = Access.PUBLIC
    gateway: HostAddress | None = None
    tunnel: tuple[str, ...] = ()

    @property
    def hint(self) -> str:
        """What to look at when a host that is up does not answer."""
        return f"{_UNREACHED[self.access]}, and does the image run sshd?"

    def dialled(self, instance: Instance) -> str:
        """The address the instance is reached at; empty until it has one."""
        if self.access is Access.PUBLIC:
            return instance.address
        return instance.private_address

    def host(self, instance: Instance, *, user: str, host_key: str, key_path: Path) -> HostAddress:
        """The instance's address; who answers there must show `host_key`, whatever stands in between."""
        return HostAddress(
            host_id=instance.instance_id,
            address=self.dialled(instance),
            user=user,
            host_key=host_key,
            key_path=key_path,
            via=self.gateway,
            proxy_command=(*self.tunnel, "--instance-id", instance.instance_id) if self.tunnel else (),
        )

    def renewed(self, host: HostAddress) -> HostAddress:
        """A host that was kept with a run, over the gateway of today: the one of then may have been replaced."""
        if host.via is None or self.gateway is None:
            return host
        return replace(host, via=self.gateway)
