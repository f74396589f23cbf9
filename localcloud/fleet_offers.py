"""Read what a fleet is asked for: where it may launch, in which order, how much of each market."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES

_BOTH = ("current", "previous")
_ACCELERATORS = {
    "gpu": (("GpuInfo", "Gpus"),),
    "inference": (("InferenceAcceleratorInfo", "Accelerators"), ("NeuronInfo", "NeuronDevices")),
}
"""Where a type's description lists devices of each kind."""
_PRIORITIZED = ("prioritized", "capacity-optimized-prioritized")


@dataclass(frozen=True, slots=True)
class Offer:
    """One launch template version with one override: where the fleet may launch."""

    template: Mapping[str, Any]
    override: Mapping[str, Any]
    instance_type: str
    subnet_id: str | None

    @property
    def weight(self) -> float:
        return float(self.override.get("WeightedCapacity", 1))

    @property
    def priority(self) -> float:
        """The lower the number, the earlier; offers without one come last."""
        return float(self.override.get("Priority", math.inf))

    def named(self, market: str) -> dict[str, Any]:
        both = {"LaunchTemplateSpecification": dict(self.template), "Overrides": dict(self.override)}
        return {"LaunchTemplateAndOverrides": both, "Lifecycle": market}


def read(backend: EC2Backend, configs: Sequence[Mapping[str, Any]]) -> list[Offer]:
    """Give the offers in the order they are written in; raises EC2ClientError as EC2 does."""
    return list(_offers(backend, configs))


def _offers(backend: EC2Backend, configs: Sequence[Mapping[str, Any]]) -> Iterator[Offer]:
    for config in configs:
        asked = config["LaunchTemplateSpecification"]
        if "LaunchTemplateId" in asked:
            template = backend.get_launch_template(asked["LaunchTemplateId"])
        else:
            template = backend.get_launch_template_by_name(asked["LaunchTemplateName"])
        version = template.get_version(asked.get("Version", "$Default"))
        named = {"LaunchTemplateId": template.id, "Version": str(version.number)}
        for override in config.get("Overrides") or [{}]:
            both = {**version.data, **override}
            if override.get("InstanceRequirements") or not both.get("InstanceType"):
                instance_type = fitting_type(backend.region_name, both.get("InstanceRequirements", {}))
            else:
                instance_type = both["InstanceType"]
            yield Offer(named, override, instance_type, override.get("SubnetId"))


def ordered(offers: Sequence[Offer], strategy: str) -> list[Offer]:
    """By priority where the strategy says so, else as given: all pools cost the same here."""
    if _dashed(strategy) in _PRIORITIZED:
        return sorted(offers, key=lambda offer: offer.priority)
    return list(offers)


def targets(asked: Mapping[str, Any]) -> dict[str, float]:
    """How much of each market; what neither is said of is of the default one."""
    wanted = {
        "on-demand": float(asked.get("OnDemandTargetCapacity", 0)),
        "spot": float(asked.get("SpotTargetCapacity", 0)),
    }
    rest = float(asked["TotalTargetCapacity"]) - sum(wanted.values())
    wanted[asked.get("DefaultTargetCapacityType", "on-demand")] += max(rest, 0)
    return wanted


def fitting_type(region: str, requirements: Mapping[str, Any]) -> str:
    """The smallest x86 type of the region that meets the requirements: EC2 would take the cheapest.

    Raises EC2ClientError where none does.
    """
    known = (INSTANCE_TYPES[each["InstanceType"]] for each in INSTANCE_TYPE_OFFERINGS["region"].get(region, []))
    fitting = [each for each in known if _fits(each, requirements)]
    if not fitting:
        raise EC2ClientError("InvalidParameterValue", f"No instance type of {region} meets {dict(requirements)}")
    smallest = min(fitting, key=lambda each: (_accelerators(each), _vcpus(each), _memory(each), each["InstanceType"]))
    return str(smallest["InstanceType"])


def _fits(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a type meets the requirements this cloud knows of; by default EC2 takes no bare metal, no burstable."""
    name = known["InstanceType"]
    listed = [re.escape(each).replace(r"\*", ".*") for each in wanted.get("AllowedInstanceTypes", ["*"])]
    return (
        "x86_64" in known["ProcessorInfo"]["SupportedArchitectures"]
        and ("current" if known["CurrentGeneration"] else "previous") in wanted.get("InstanceGenerations", _BOTH)
        and _within(_vcpus(known), wanted.get("VCpuCount"))
        and _within(_memory(known), wanted.get("MemoryMiB"))
        and _within(_accelerators(known, wanted.get("AcceleratorTypes", _ACCELERATORS)), wanted.get("AcceleratorCount"))
        and _allowed(known["BareMetal"], wanted.get("BareMetal"))
        and _allowed(_is_burstable(known), wanted.get("BurstablePerformance"))
        and any(re.fullmatch(each, name) for each in listed)
    )


def _vcpus(known: Mapping[str, Any]) -> int:
    return int(known["VCpuInfo"]["DefaultVCpus"])


def _memory(known: Mapping[str, Any]) -> int:
    return int(known["MemoryInfo"]["SizeInMiB"])


def _accelerators(known: Mapping[str, Any], kinds: Iterable[str] = tuple(_ACCELERATORS)) -> int:
    lists = [known.get(info, {}).get(member, []) for kind in kinds for info, member in _ACCELERATORS.get(kind, ())]
    return sum(int(each.get("Count", 0)) for devices in lists for each in devices)


def _is_burstable(known: Mapping[str, Any]) -> bool:
    """moto's list does not say it of the newest ones."""
    return bool(known["BurstablePerformanceSupported"]) or re.match(r"t\d", known["InstanceType"]) is not None


def _within(value: float, bounds: Mapping[str, Any] | None) -> bool:
    if not bounds:
        return True
    return float(bounds.get("Min", 0)) <= value <= float(bounds.get("Max", math.inf))


def _allowed(has: bool, wish: str | None) -> bool:
    return {"included": True, "required": has, "excluded": not has, None: not has}[wish]


def _dashed(strategy: str) -> str:
    """EC2 takes strategies in both of its spellings: `price-capacity-optimized`, `priceCapacityOptimized`."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda found: f"-{found[1].lower()}", strategy)
