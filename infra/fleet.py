"""Declare fleets that stand: machines that AWS keeps up, and replaces, until they end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contracts.host_boot import encoded, render_user_data
from contracts.infra import Requirements
from infra import fleet_settings, machines, naming, policies
from infra.component import Component
from infra.fleet_settings import FleetSettings, Pool
from infra.tags import Labels

MOST_OVERRIDES = 50
"""What the provider takes in one launch template configuration; it takes as many of these."""

_SPOT = {"lowest-price": "lowestPrice"}
"""The provider spells this strategy as EC2 once did, and the others as EC2 does."""
_LEGACY = {
    "price-capacity-optimized": "priceCapacityOptimized",
    "capacity-optimized": "capacityOptimized",
    "diversified": "diversified",
    "lowest-price": "lowestPrice",
}


@dataclass(frozen=True)
class StandingFleetArgs:
    """What a fleet launches, and where. `purpose` names it among the event's fleets."""

    purpose: str
    settings: FleetSettings
    launch_template_id: pulumi.Input[str]
    launch_template_version: pulumi.Input[str]
    subnet_ids: Sequence[pulumi.Input[str]]
    region: str
    permissions_boundary: str | None
    labels: Labels


class StandingFleet(Component):
    """A fleet with an end. Its size is the runner's after the first `up`: no later one changes it."""

    fleet_id: pulumi.Output[str]

    def __init__(self, name: str, args: StandingFleetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("StandingFleet", name, args.labels, opts)
        self._args = args
        pools = fleet_settings.pools(args.settings, len(args.subnet_ids))
        self.fleet_id = self._legacy(pools) if args.settings.is_legacy else self._fleet(pools)
        self.register_outputs({"fleetId": self.fleet_id})

    def _fleet(self, pools: Sequence[Pool]) -> pulumi.Output[str]:
        wanted = self._args.settings
        capacity = aws.ec2.FleetTargetCapacitySpecificationArgs(
            default_target_capacity_type="spot" if wanted.spot else "on-demand",
            # with one of the two left out the provider takes EC2's answer for a change, and replaces the fleet
            total_target_capacity=wanted.target,
            on_demand_target_capacity=wanted.on_demand,
            spot_target_capacity=wanted.target - wanted.on_demand,
        )
        fleet = aws.ec2.Fleet(
            self.called(self._args.purpose),
            type="maintain",
            launch_template_configs=[
                self._template(pools[start : start + MOST_OVERRIDES]) for start in range(0, len(pools), MOST_OVERRIDES)
            ],
            target_capacity_specification=capacity,
            spot_options=_spot_options(wanted) if wanted.spot else None,
            on_demand_options=aws.ec2.FleetOnDemandOptionsArgs(allocation_strategy="lowestPrice"),
            valid_until=wanted.ends_at,
            terminate_instances=True,
            terminate_instances_with_expiration=True,
            excess_capacity_termination_policy="termination",
            replace_unhealthy_instances=True,
            tags=self.tags(self._args.purpose),
            opts=self._left_to_the_runner(
                *(f"targetCapacitySpecification.{each}TargetCapacity" for each in ("total", "onDemand", "spot"))
            ),
        )
        return fleet.id

    def _template(self, pools: Sequence[Pool]) -> aws.ec2.FleetLaunchTemplateConfigArgs:
        return aws.ec2.FleetLaunchTemplateConfigArgs(
            launch_template_specification=aws.ec2.FleetLaunchTemplateConfigLaunchTemplateSpecificationArgs(
                launch_template_id=self._args.launch_template_id, version=self._args.launch_template_version
            ),
            overrides=[
                aws.ec2.FleetLaunchTemplateConfigOverrideArgs(
                    instance_type=pool.instance_type,
                    instance_requirements=_requirements(self._args.settings.requirements),
                    subnet_id=self._args.subnet_ids[pool.subnet],
                    max_price=self._args.settings.max_price,
                )
                for pool in pools
            ],
        )

    def _legacy(self, pools: Sequence[Pool]) -> pulumi.Output[str]:
        wanted = self._args.settings
        role, granted = self._legacy_role()
        template = aws.ec2.SpotFleetRequestLaunchTemplateConfigArgs(
            launch_template_specification=aws.ec2.SpotFleetRequestLaunchTemplateConfigLaunchTemplateSpecificationArgs(
                id=self._args.launch_template_id, version=self._args.launch_template_version
            ),
            overrides=[
                aws.ec2.SpotFleetRequestLaunchTemplateConfigOverrideArgs(
                    instance_type=pool.instance_type,
                    instance_requirements=_legacy_requirements(wanted.requirements),
                    subnet_id=self._args.subnet_ids[pool.subnet],
                )
                for pool in pools
            ],
        )
        request = aws.ec2.SpotFleetRequest(
            self.called(self._args.purpose),
            fleet_type="maintain",
            iam_fleet_role=role,
            launch_template_configs=[template],
            target_capacity=wanted.target,
            on_demand_target_capacity=wanted.on_demand,
            allocation_strategy=_LEGACY[wanted.allocation],
            instance_interruption_behaviour="terminate",
            spot_price=wanted.max_price,
            valid_until=wanted.ends_at,
            terminate_instances_on_delete="true",
            terminate_instances_with_expiration=True,
            excess_capacity_termination_policy="Default",
            replace_unhealthy_instances=True,
            tags=self.tags(self._args.purpose),
            opts=pulumi.ResourceOptions.merge(
                self._left_to_the_runner("targetCapacity", "onDemandTargetCapacity"),
                pulumi.ResourceOptions(depends_on=[granted]),
            ),
        )
        return request.id

    def _legacy_role(self) -> tuple[pulumi.Output[str], pulumi.Resource]:
        """Declare the role that a SpotFleetRequest launches, tags and ends machines with."""
        partition, purpose = naming.partition(self._args.region), f"{self._args.purpose}-role"
        role = aws.iam.Role(
            self.called(purpose),
            description="The event's spot fleet request; never its machines",
            assume_role_policy=json.dumps(policies.assumed_by_spot_fleets(), sort_keys=True),
            permissions_boundary=self._args.permissions_boundary,
            tags=self.tags(purpose),
            opts=self.inside,
        )
        granted = aws.iam.RolePolicyAttachment(
            self.called(purpose),
            role=role.name,
            policy_arn=policies.aws_managed(partition, policies.SPOT_FLEET_POLICY),
            opts=self.inside,
        )
        return role.arn, granted

    def _left_to_the_runner(self, *paths: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, ignore_changes=list(paths))


@dataclass(frozen=True)
class StandingHostsArgs:
    """What the hosts of a standing fleet are made of. `user` logs in; each ends itself at the age of `lifetime_s`."""

    settings: FleetSettings
    image_id: str
    volume_gib: int
    key_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    user: str
    lifetime_s: float
    subnet_ids: Sequence[pulumi.Input[str]]
    region: str
    permissions_boundary: str | None
    labels: Labels


class StandingHosts(Component):
    """A standing fleet of hosts. Each makes its own host key and shows it on its console."""

    fleet_id: pulumi.Output[str]

    def __init__(self, name: str, args: StandingHostsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("StandingHosts", name, args.labels, opts)
        fleet_settings.pools(args.settings, len(args.subnet_ids))  # refused before anything is declared
        template = machines.launch_template(
            self,
            "standing-host",
            machines.TemplateArgs(
                description=f"Hosts of the standing fleet of the event {args.labels.event}",
                volume_gib=args.volume_gib,
                key_name=args.key_name,
                security_group_ids=[args.security_group_id],
                user_data=encoded(render_user_data(lifetime_s=args.lifetime_s, user=args.user)),
                image_id=args.image_id,
                lifetime_s=args.lifetime_s,
            ),
        )
        fleet = StandingFleet(
            self.called("standing-fleet"),
            StandingFleetArgs(
                purpose="fleet",
                settings=args.settings,
                launch_template_id=template.id,
                launch_template_version=template.latest_version.apply(str),
                subnet_ids=args.subnet_ids,
                region=args.region,
                permissions_boundary=args.permissions_boundary,
                labels=args.labels,
            ),
            self.inside,
        )
        self.fleet_id = fleet.fleet_id
        self.register_outputs({"fleetId": self.fleet_id})


def _spot_options(wanted: FleetSettings) -> aws.ec2.FleetSpotOptionsArgs:
    return aws.ec2.FleetSpotOptionsArgs(
        allocation_strategy=_SPOT.get(wanted.allocation, wanted.allocation), instance_interruption_behavior="terminate"
    )


def _requirements(
    wanted: Requirements | None,
) -> aws.ec2.FleetLaunchTemplateConfigOverrideInstanceRequirementsArgs | None:
    if wanted is None:
        return None
    return aws.ec2.FleetLaunchTemplateConfigOverrideInstanceRequirementsArgs(
        vcpu_count=aws.ec2.FleetLaunchTemplateConfigOverrideInstanceRequirementsVcpuCountArgs(**_vcpus(wanted)),
        memory_mib=aws.ec2.FleetLaunchTemplateConfigOverrideInstanceRequirementsMemoryMibArgs(**_memory(wanted)),
        accelerator_count=aws.ec2.FleetLaunchTemplateConfigOverrideInstanceRequirementsAcceleratorCountArgs(
            **_gpus(wanted)
        ),
        **_other_requirements(wanted),
    )


def _legacy_requirements(
    wanted: Requirements | None,
) -> aws.ec2.SpotFleetRequestLaunchTemplateConfigOverrideInstanceRequirementsArgs | None:
    if wanted is None:
        return None
    return aws.ec2.SpotFleetRequestLaunchTemplateConfigOverrideInstanceRequirementsArgs(
        vcpu_count=aws.ec2.SpotFleetRequestLaunchTemplateConfigOverrideInstanceRequirementsVcpuCountArgs(
            **_vcpus(wanted)
        ),
        memory_mib=aws.ec2.SpotFleetRequestLaunchTemplateConfigOverrideInstanceRequirementsMemoryMibArgs(
            **_memory(wanted)
        ),
        accelerator_count=aws.ec2.SpotFleetRequestLaunchTemplateConfigOverrideInstanceRequirementsAcceleratorCountArgs(
            **_gpus(wanted)
        ),
        **_other_requirements(wanted),
    )


def _vcpus(wanted: Requirements) -> dict[str, Any]:
    return {"min": wanted.vcpu_min, "max": wanted.vcpu_max}


def _memory(wanted: Requirements) -> dict[str, Any]:
    most = wanted.memory_gib_max
    return {"min": wanted.memory_gib_min * 1024, "max": None if most is None else most * 1024}


def _gpus(wanted: Requirements) -> dict[str, Any]:
    return {"min": wanted.gpus_min} if wanted.gpus_min else {"max": 0}


def _other_requirements(wanted: Requirements) -> dict[str, Any]:
    gpus = {"accelerator_types": ["gpu"], "accelerator_manufacturers": ["nvidia"]} if wanted.gpus_min else {}
    burstable = "included" if wanted.burstable else "excluded"
    return {"burstable_performance": burstable, "instance_generations": ["current"], **gpus}
