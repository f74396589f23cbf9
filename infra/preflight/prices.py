"""Estimate what an event's machines cost, by what AWS asks for them now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from contracts.errors import CloudError
from contracts.findings import Finding, Level
from infra.preflight.known import Known
from infra.preflight.machines import Machines

_ABOUT = "price"
_HISTORY = timedelta(days=90)
"""AWS keeps spot prices so long; an older one is none."""
_LEFT_OUT = "machines alone: no disks, addresses, traffic"

PriceList = Mapping[str, float]
"""US dollars an hour by instance type."""


def look(known: Known) -> Iterator[Finding]:
    """The price of an hour with everything up, for each purpose, and that of a submission at most."""
    lists: dict[str, PriceList] = {}
    for market, ask in (("on-demand", _on_demand), ("spot", _spot)):
        yield from _listed(known, market, ask, lists)
    for each in known.machines:
        shares = [
            share
            for market, count in (("on-demand", each.on_demand), ("spot", each.spot))
            if count and market in lists and (share := _share(each, market, count, lists[market]))
        ]
        if shares:
            yield _an_hour(each, shares)
        if shares and each.purpose == "hosts":
            yield _a_submission(known, max(share.usd for share in shares))


@dataclass(frozen=True, slots=True)
class _Share:
    """So many machines of one market, all of the dearest type; `unpriced` are those AWS tells no price of."""

    market: str
    count: int
    instance_type: str
    usd: float
    unpriced: tuple[str, ...]


def _listed(
    known: Known, market: str, ask: Callable[[Known, tuple[str, ...]], PriceList], lists: dict[str, PriceList]
) -> Iterator[Finding]:
    """Keep the prices of all types a market needs; tell whose price is not to be had."""
    wanted = [each for each in known.machines if (each.spot if market == "spot" else each.on_demand)]
    types = tuple(dict.fromkeys(name for each in wanted for name in each.types))
    chosen = [each.purpose for each in wanted if not each.types]
    if chosen:
        message = f"{', '.join(chosen)}: AWS chooses the types; their {market} price is not known"
        yield Finding(Level.WARNING, _ABOUT, message)
    if not types:
        return
    try:
        lists[market] = ask(known, types)
    except CloudError as error:
        yield Finding(Level.WARNING, _ABOUT, f"{market} prices were not looked at: {error.message}", error.hint)
        return
    unpriced = [name for name in types if name not in lists[market]]
    if unpriced:
        yield Finding(Level.WARNING, _ABOUT, f"AWS tells no {market} price of {', '.join(unpriced)}")


def _on_demand(known: Known, types: tuple[str, ...]) -> PriceList:
    return known.survey.on_demand_prices(types)


def _spot(known: Known, types: tuple[str, ...]) -> PriceList:
    """The median of the zones for each type."""
    by_type: dict[str, list[float]] = {}
    for price in known.survey.spot_prices(types):
        if known.now - price.since <= _HISTORY:
            by_type.setdefault(price.instance_type, []).append(price.usd)
    return {name: median(prices) for name, prices in by_type.items()}


def _share(each: Machines, market: str, count: int, prices: PriceList) -> _Share | None:
    priced = [name for name in each.types if name in prices]
    if not priced:
        return None
    dearest = max(priced, key=lambda name: prices[name])
    unpriced = tuple(name for name in each.types if name not in prices)
    return _Share(market, count, dearest, prices[dearest], unpriced)


def _an_hour(each: Machines, shares: list[_Share]) -> Finding:
    total = sum(share.count * share.usd for share in shares)
    terms = " + ".join(f"{share.count} {share.market} {share.instance_type} x {share.usd:.4f}" for share in shares)
    dearest = f", the dearest of {len(each.types)} types" if len(each.types) > 1 else ""
    lacking = sorted({name for share in shares for name in share.unpriced})
    but = f", not counting {', '.join(lacking)}" if lacking else ""
    message = f"{each.purpose}: {total:.4f} USD an hour at most = {terms}{dearest}{but} ({_LEFT_OUT})"
    return Finding(Level.OK, _ABOUT, message)


def _a_submission(known: Known, usd: float) -> Finding:
    """A bound: a host that boots as slowly, and a run that takes as long, as the event allows."""
    worker = known.event.worker
    longest_s = worker.boot_timeout_s + worker.timeout
    message = (
        f"a submission: {usd * longest_s / 3600:.4f} USD an attempt at most = {usd:.4f} an hour x "
        f"({worker.boot_timeout_s:g} s to boot + {worker.timeout:g} s to run), the longest that is allowed"
    )
    return Finding(Level.OK, _ABOUT, message)
