"""Look at everything an event needs of AWS, and report all findings at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from contracts.errors import CloudError, RampartError
from contracts.event import EventConfig
from contracts.findings import Finding, Level
from infra.preflight import ends, images, key, network, offers, prices, quotas, roles, spending
from infra.preflight.known import Known, Missing
from infra.preflight.survey import Survey

Look = Callable[[Known], Iterator[Finding]]

OFFLINE: tuple[tuple[str, Look], ...] = (("end", ends.look), ("key", key.look_at_file))
"""What needs no AWS."""
ONLINE: tuple[tuple[str, Look], ...] = (
    ("key", key.look_at_pair),
    ("network", network.look_at_ranges),
    ("network", network.look_at_subnets),
    ("build subnet", network.look_at_way_out),
    ("hosts' subnets", network.look_at_addresses),
    ("instance types", offers.look),
    ("parent image", images.look_at_parent),
    ("image key", images.look_at_key),
    ("image sources", images.look_elsewhere),
    ("hosts' image", images.look_at_hosts),
    ("gateway image", images.look_at_gateway),
    ("instance types", offers.look_at_architectures),
    ("instance types", images.look_at_driver),
    ("vCPUs", quotas.look),
    ("roles", roles.look),
    ("budget", spending.look),
    ("price", prices.look),
)
"""What only AWS can tell; one part that it refuses hides no other."""


def preflight(event: EventConfig, survey: Survey, *, now: datetime) -> list[Finding]:
    """Give everything found about the event, good and bad; never raises for what AWS says or refuses to say."""
    known = Known(event, survey, now)
    found = [finding for about, look in OFFLINE for finding in _guarded(about, look, known)]
    account = _account(known)
    found = [*account, *found]
    if any(one.level is Level.ERROR for one in account):
        skipped = "network, images, quotas, roles and prices were not looked at"
        return [*found, Finding(Level.WARNING, "AWS", skipped)]
    return found + [finding for about, look in ONLINE for finding in _guarded(about, look, known)]


def _account(known: Known) -> list[Finding]:
    """Who we are and whether the region is ours; an error where nothing else can be asked."""
    try:
        caller = known.survey.caller()
    except CloudError as error:
        return [Finding(Level.ERROR, "account", error.message, error.hint)]
    found = [Finding(Level.OK, "account", f"{caller.account}, as {caller.arn}")]
    return found + _guarded("region", _region, known)


def _region(known: Known) -> Iterator[Finding]:
    region = known.event.region
    status = known.survey.region_status()
    if status in ("opted-in", "opt-in-not-required"):
        yield Finding(Level.OK, "region", region)
    elif status:
        hint = f"aws account enable-region --region-name {region}, or another infra.region"
        yield Finding(Level.ERROR, "region", f"{region} is not enabled in this account", hint)
    else:
        hint = "write one of: aws ec2 describe-regions --all-regions --query 'Regions[].RegionName'"
        yield Finding(Level.ERROR, "region", f"AWS has no region {region}", hint)


def _guarded(about: str, look: Look, known: Known) -> list[Finding]:
    """What one look finds; where AWS refuses to tell, that is its last finding, and no reason to stop."""
    found: list[Finding] = []
    try:
        found.extend(look(known))
    except Missing:
        pass  # the look at that very thing says so
    except CloudError as error:
        found.append(Finding(Level.WARNING, about, f"not looked at: {error.message}", error.hint))
    except RampartError as error:
        found.append(Finding(Level.ERROR, about, error.message, error.hint))
    return found
