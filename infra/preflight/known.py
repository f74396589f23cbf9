"""Hold what is known of the account, each thing asked once, when a check first needs it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

from contracts.errors import RampartError
from contracts.event import EventConfig
from contracts.survey import BaseImage, MachineType, RouteTable, Subnet, Vpc
from infra.preflight import machines
from infra.preflight.machines import Machines, Place
from infra.preflight.survey import Survey


class Missing(RampartError):
    """What a check needs is not there; the check of that thing itself tells what to do about it."""


class Known:
    """One event and the account it is to be deployed in. Attributes raise CloudError where AWS refuses to tell."""

    def __init__(self, event: EventConfig, survey: Survey, now: datetime) -> None:
        self.event = event
        self.survey = survey
        self.now = now
        self._images: dict[str, BaseImage | None] = {}

    @cached_property
    def machines(self) -> tuple[Machines, ...]:
        """What the event may launch."""
        return machines.of_event(self.event)

    @cached_property
    def types(self) -> Mapping[str, MachineType]:
        """The instance types of these machines that the region has."""
        return self.survey.machine_types(machines.types_of(self.machines))

    @cached_property
    def vpcs(self) -> tuple[Vpc, ...]:
        """Every VPC of the region."""
        return self.survey.vpcs()

    @cached_property
    def vpc(self) -> Vpc:
        """The VPC that is there already. Raises Missing."""
        wanted = self.event.infra.network.vpc
        for vpc in self.vpcs:
            if vpc.vpc_id == wanted or (wanted == "default" and vpc.is_default):
                return vpc
        raise Missing("the VPC is not there")

    @cached_property
    def subnets(self) -> tuple[Subnet, ...]:
        """All subnets of the VPC that is there already."""
        return self.survey.subnets(self.vpc.vpc_id)

    @cached_property
    def host_subnets(self) -> tuple[Subnet, ...]:
        """Those of them that hosts stand in; what is named and not there is left out."""
        if self.event.infra.network.vpc == "default":
            return tuple(sorted((one for one in self.subnets if one.is_default), key=lambda one: one.subnet_id))
        by_id = {one.subnet_id: one for one in self.subnets}
        return tuple(by_id[name] for name in self.event.infra.network.subnet_ids if name in by_id)

    @cached_property
    def build_subnet(self) -> Subnet:
        """The one that images are built in. Raises Missing."""
        named = self.event.infra.network.build_subnet_id
        candidates = self.host_subnets if named is None else self.subnets
        for subnet in candidates:
            if named in (None, subnet.subnet_id):
                return subnet
        raise Missing("the build subnet is not there")

    @cached_property
    def route_tables(self) -> tuple[RouteTable, ...]:
        """Those of the VPC that is there already."""
        return self.survey.route_tables(self.vpc.vpc_id)

    def zones(self, place: Place) -> tuple[str, ...]:
        """The zones of the subnets that machines of that place stand in. Raises Missing."""
        if self.event.infra.network.vpc == "own":
            zones = self._own_zones
        elif place is Place.BUILD:
            zones = (self.build_subnet.zone,)
        else:
            zones = tuple(one.zone for one in self.host_subnets)
        if not zones:
            raise Missing("the hosts' subnets are not there")
        return tuple(dict.fromkeys(zones)) if place is Place.HOSTS else zones[:1]

    def image(self, reference: str) -> BaseImage | None:
        """The AMI that `ami-...` or `ssm:NAME` stands for; None where that leads nowhere, or to Image Builder."""
        if reference not in self._images:
            self._images[reference] = self._found(reference)
        return self._images[reference]

    @cached_property
    def _own_zones(self) -> tuple[str, ...]:
        """The zones an own VPC spans: the first by name, as many as the event asks for."""
        return tuple(sorted(self.survey.zones()))[: self.event.infra.network.availability_zones]

    def _found(self, reference: str) -> BaseImage | None:
        if reference.startswith("ami-"):
            return self.survey.image(reference)
        if reference.startswith("ssm:"):
            value = self.survey.parameter(reference.removeprefix("ssm:"))
            return self.survey.image(value) if value and value.startswith("ami-") else None
        return None
