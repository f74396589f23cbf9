"""Hold the vCPUs that an event may need against the account's quotas."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from contracts.errors import CloudError
from contracts.findings import Finding, Level
from infra.preflight.known import Known
from infra.preflight.machines import Machines

_ABOUT = "vCPUs"


@dataclass(frozen=True, slots=True)
class Family:
    """Instance types that share one quota: its name, with EC2's codes for machines on demand and on spot."""

    name: str
    on_demand: str
    spot: str

    def code(self, market: str) -> str:
        """The quota's code in a market, `spot` or `on demand`."""
        return self.spot if market == "spot" else self.on_demand


STANDARD = Family("standard", "L-1216C47A", "L-34B43A08")
STANDARD_LETTERS = "acdhimrtz"
_G = Family("G and VT", "L-DB2E81BA", "L-3819A6DF")
FAMILIES = {
    "dl": Family("DL", "L-6E869C2A", "L-85EED4F7"),
    "f": Family("F", "L-74FC7D96", "L-88CF9481"),
    "g": _G,
    "gr": _G,
    "vt": _G,
    "inf": Family("Inf", "L-1945791B", "L-B5D1601B"),
    "p": Family("P", "L-417A185B", "L-7212CCBC"),
    "trn": Family("Trn", "L-2C3B7624", "L-6B0D517C"),
    "x": Family("X", "L-7295265B", "L-E3A00192"),
}
"""By the letters before the generation's number; the rest begin with one of STANDARD_LETTERS."""
UNKNOWN = frozenset({"hpc", "mac", "u"})
"""With quotas of their own, which are not looked at."""


@dataclass(frozen=True, slots=True)
class _Need:
    """So many vCPUs at most for one purpose; `single` for one machine."""

    purpose: str
    count: int
    single: int

    @property
    def vcpus(self) -> int:
        return self.count * self.single


def family_of(instance_type: str) -> Family | None:
    """The quota a type counts against; None where that is not known."""
    letters = re.split(r"[^a-z]", instance_type, maxsplit=1)[0]
    if letters in FAMILIES:
        return FAMILIES[letters]
    return None if letters in UNKNOWN or letters[:1] not in STANDARD_LETTERS else STANDARD


def look(known: Known) -> Iterator[Finding]:
    """Each quota the event counts against: the sum of what may be up at a time, by the largest types."""
    needs: dict[tuple[Family, str], list[_Need]] = {}
    for each in known.machines:
        for market, count in (("on demand", each.on_demand), ("spot", each.spot)):
            if not count:
                continue
            sizes = _sizes(each, known)
            if not sizes:
                yield Finding(Level.WARNING, _ABOUT, f"{each.purpose}: how many vCPUs {market} is not known")
            for family, single in sizes.items():
                if family is None:
                    message = f"{each.purpose}: the quota of {', '.join(_unknown(each))} was not looked at"
                    yield Finding(Level.WARNING, _ABOUT, message, "Service Quotas, EC2")
                else:
                    needs.setdefault((family, market), []).append(_Need(each.purpose, count, single))
    for (family, market), parts in needs.items():
        yield _held(known, family, market, parts)


def _sizes(each: Machines, known: Known) -> dict[Family | None, int]:
    """vCPUs of the largest type in each family; an event of several families may need each of them in full."""
    if each.most_vcpus is not None:
        return {STANDARD: each.most_vcpus}
    sizes: dict[Family | None, int] = {}
    for name in each.types:
        if name in known.types:
            family = family_of(name)
            sizes[family] = max(sizes.get(family, 0), known.types[name].vcpus)
    return sizes


def _unknown(each: Machines) -> list[str]:
    return [name for name in each.types if family_of(name) is None]


def _held(known: Known, family: Family, market: str, parts: list[_Need]) -> Finding:
    needed = sum(part.vcpus for part in parts)
    sum_of = " + ".join(f"{part.purpose} {part.count} x {part.single}" for part in parts)
    said = f"{family.name} {market}: {needed} at most ({sum_of})"
    code = family.code(market)
    try:
        quota = known.survey.quota(code)
    except CloudError as error:
        return Finding(Level.WARNING, _ABOUT, f"{said}; the quota was not looked at: {error.message}", error.hint)
    more = f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code}"
    hint = f"{more} --desired-value {needed} --region {known.event.region}; or ask for fewer machines"
    if max(part.single for part in parts) > quota:
        return Finding(Level.ERROR, _ABOUT, f"{said}, but the quota of {quota:g} takes not even one machine", hint)
    if needed > quota:
        return Finding(Level.WARNING, _ABOUT, f"{said}, but the quota is {quota:g}: the rest waits", hint)
    return Finding(Level.OK, _ABOUT, f"{said}, the quota is {quota:g}")
