"""Name what belongs to an event, the way IAM names it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from contracts.event import EventConfig
from infra import naming

_LONGEST_PURPOSE = 32
"""No purpose that the program names a resource by is longer."""
OWN = "{own}"
"""In a resource of a rule: a name that the program gives for the event."""


@dataclass(frozen=True)
class Scope:
    """An event in its region. The account is any: a policy holds in the account of whoever has it alone."""

    event: EventConfig

    @property
    def name(self) -> str:
        """The stack's name, and the value of its tag."""
        return self.event.name

    @cached_property
    def partition(self) -> str:
        """The AWS partition of the region."""
        return naming.partition(self.event.region)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Patterns of the names that the program gives; a long event name is cut, shorter or longer by the purpose."""
        whole = f"{naming.PREFIX}-{self.name}-*"
        purpose = "p" * _LONGEST_PURPOSE
        cut = naming.logical_name(self.name, purpose).removesuffix(f"-{purpose}")
        if cut == f"{naming.PREFIX}-{self.name}":
            return (whole,)
        kept, _, mark = cut.rpartition("-")
        return whole, f"{kept}*-{mark}-*"

    def resources(self, pattern: str) -> tuple[str, ...]:
        """Fill in an ARN's pattern: one for each pattern of the event's names where it has `{own}` in it."""
        filled = pattern.format(
            partition=self.partition, region=self.event.region, event=self.name, own=OWN, bucket=self._bucket
        )
        if OWN not in filled:
            return (filled,)
        # Image Builder writes the names in its ARNs in small letters
        names = [name.lower() for name in self.names] if ":imagebuilder:" in filled else self.names
        return tuple(filled.replace(OWN, name) for name in names)

    def service(self, value: str) -> str:
        """Name a service as roles name it; EC2 alone has another name in China."""
        return value.format(ec2="ec2.amazonaws.com.cn" if self.partition == "aws-cn" else "ec2.amazonaws.com")

    def through(self, service: str) -> str:
        """Name a service as a key knows it that is used through it."""
        suffix = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return f"{service}.{self.event.region}.{suffix}"

    @property
    def _bucket(self) -> str:
        return f"{naming.bucket_name(self.name)}-*"
