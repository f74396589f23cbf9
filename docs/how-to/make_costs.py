"""Write docs/how-to/costs.md from prices.yml and the example events: python docs/how-to/make_costs.py"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY))  # a script's own folder is all that Python looks in

from contracts.event import EventConfig  # noqa: E402
from contracts.event_file import load_event  # noqa: E402

MONTH_H = 730
SUBMISSIONS, RUN_MIN, BOOT_MIN = 300, 10, 2
BUILD_H = 0.75
LOOK_H = 0.2
GPU_TYPE = "g4dn.xlarge"
HOST_H = SUBMISSIONS * (RUN_MIN + BOOT_MIN) / 60


@dataclass(frozen=True)
class Prices:
    """The file prices.yml."""

    written: str
    by_unit: dict[str, dict[str, float]]

    def of(self, unit: str, name: str) -> float:
        return self.by_unit[unit][name]


@dataclass(frozen=True)
class Item:
    """One line of a bill: `quantity` of something at `price`."""

    what: str
    formula: str
    quantity: float
    price: float

    @property
    def amount(self) -> float:
        return self.quantity * self.price


def page() -> str:
    """The whole page."""
    prices = _prices()
    events = {name: _event(name) for name in ("iris", "spot", "dask")}
    parts = [_HEAD.format(written=prices.written, submissions=SUBMISSIONS, run=RUN_MIN, boot=BOOT_MIN)]
    bills = (
        ("events/iris: on demand, small", _on_demand(events["iris"], prices)),
        ("events/spot: a spot fleet behind a jump host", _spot(events["spot"], prices)),
        ("events/dask: a cluster, a bucket, a file system", _dask(events["dask"], prices)),
    )
    for title, items in bills:
        parts.append(_bill(title, items))
    parts.append(_ABOUT_IMAGES)
    for machine, gib in (("t3.medium", 20), (GPU_TYPE, 100)):
        parts.append(_bill(f"One image, all on a {machine}", _one_image(events["iris"], prices, machine, gib)))
    return "\n".join([*parts, _TAIL])


def _on_demand(event: EventConfig, prices: Prices) -> list[Item]:
    return [
        _hosts(event, prices, event.worker.instance_type, has_address=True),
        *_image(event, prices, builds=1),
    ]


def _spot(event: EventConfig, prices: Prices) -> list[Item]:
    gateway = event.infra.gateway.instance_type
    return [
        _hosts(event, prices, f"{event.worker.instance_type} spot", has_address=False),
        Item(
            f"the jump host, a {gateway} with a public address, up as long as the stack",
            "730 h × (machine + address)",
            MONTH_H,
            prices.of("hour", gateway) + prices.of("hour", "public address"),
        ),
        *_image(event, prices, builds=1),
    ]


def _dask(event: EventConfig, prices: Prices) -> list[Item]:
    dask = event.infra.dask
    assert dask is not None  # noqa: S101 - the example is about it
    worker = f"{dask.worker_types[0]} spot"
    return [
        Item(
            f"the scheduler, a {dask.scheduler_type} with a public address, up as long as the event",
            "730 h × (machine + address)",
            MONTH_H,
            prices.of("hour", dask.scheduler_type) + prices.of("hour", "public address"),
        ),
        Item(
            f"workers: {worker}, busy for the time of all runs",
            f"{HOST_H:.0f} h × (machine + address + 20 GiB of disk ÷ 730)",
            HOST_H,
            prices.of("hour", worker) + prices.of("hour", "public address") + _disk_hour(event, prices),
        ),
        Item("10 GiB in the bucket", "10 GiB × S3", 10, prices.of("gib_month", "S3")),
        Item("5 GiB in the file system", "5 GiB × EFS", 5, prices.of("gib_month", "EFS")),
        Item("secrets", f"{len(event.infra.secrets)} × secret", len(event.infra.secrets), prices.of("month", "secret")),
        *_image(event, prices, builds=4),
    ]


def _hosts(event: EventConfig, prices: Prices, machine: str, *, has_address: bool) -> Item:
    address = prices.of("hour", "public address") if has_address else 0.0
    parts = "machine + address" if has_address else "machine"
    return Item(
        f"hosts: {machine}",
        f"{SUBMISSIONS} × ({RUN_MIN} + {BOOT_MIN} min) × ({parts} + {event.infra.volume_gib} GiB of disk ÷ 730)",
        HOST_H,
        prices.of("hour", machine) + address + _disk_hour(event, prices),
    )


def _image(event: EventConfig, prices: Prices, *, builds: int) -> list[Item]:
    image = event.infra.image
    machine = image.instance_type
    each = prices.of("hour", machine) + prices.of("hour", "public address") + image.volume_gib * _gib_hour(prices)
    return [
        Item(
            f"image builds: {builds} a month, a builder and a test instance ({machine}) for 45 min",
            f"{builds} × 2 × {BUILD_H} h × (machine + address + disk)",
            builds * 2 * BUILD_H,
            each,
        ),
        _looks(event, prices, event.worker.instance_type, builds),
        Item(
            f"{image.keep} images kept, at most {image.volume_gib} GiB each (snapshots share what they have in common)",
            f"{image.keep} × {image.volume_gib} GiB × snapshot",
            image.keep * image.volume_gib,
            prices.of("gib_month", "snapshot"),
        ),
        Item("logs of builds and of the network", "1 GiB × log", 1, prices.of("gib", "log")),
    ]


def _looks(event: EventConfig, prices: Prices, machine: str, builds: int) -> Item:
    """Each new image is looked at once on a host of the event's own type."""
    each = prices.of("hour", machine) + prices.of("hour", "public address") + _disk_hour(event, prices)
    return Item(
        f"a look at each new image from a host ({machine}) for 12 min",
        f"{builds} × {LOOK_H} h × (machine + address + disk)",
        builds * LOOK_H,
        each,
    )


def _one_image(event: EventConfig, prices: Prices, machine: str, gib: int) -> list[Item]:
    """What a single image comes to whose machines are all of one type."""
    each = prices.of("hour", machine) + prices.of("hour", "public address") + gib * _gib_hour(prices)
    return [
        Item(f"build and test, 45 min each on a {machine}", f"2 × {BUILD_H} h × (machine + …)", 2 * BUILD_H, each),
        _looks(event, prices, machine, 1),
        Item(f"{gib} GiB kept for a month", f"{gib} × snapshot", gib, prices.of("gib_month", "snapshot")),
    ]


def _disk_hour(event: EventConfig, prices: Prices) -> float:
    return event.infra.volume_gib * _gib_hour(prices)


def _gib_hour(prices: Prices) -> float:
    return prices.of("gib_month", "gp3 disk") / MONTH_H


def _bill(title: str, items: list[Item]) -> str:
    lines = [f"## {title}", "", "| what | formula | illustrative USD a month |", "|---|---|---|"]
    lines += [f"| {item.what} | {item.formula} | {item.amount:.2f} |" for item in items]
    lines += [f"| **together** | | **{sum(item.amount for item in items):.2f}** |", ""]
    return "\n".join(lines)


def _prices() -> Prices:
    content = yaml.safe_load((HERE / "prices.yml").read_text(encoding="utf-8"))
    return Prices(str(content["written"]), {unit: content[unit] for unit in ("hour", "gib_month", "month", "gib")})


def _event(name: str) -> EventConfig:
    plain = {"RAMPART_ALLOWED_CIDR": "203.0.113.7/32", "HOME": os.environ.get("HOME", "/")}
    return load_event(REPOSITORY / "events" / name / "config.yml", environ=plain)


_HEAD = """\
# What an event costs

Written by `docs/how-to/make_costs.py` from [prices.yml](prices.yml) and the example events.

**The formulas are Rampart's; the prices are not.** Those in `prices.yml` are of {written}, rounded, illustrative and not looked up: no quotation, and not your region's. `invoke preflight --event E` asks AWS what the event's machines cost
an hour in its region, on spot and on demand, and what a submission costs at most. `infra.budget` tells you by e-mail when
half of what you planned is spent.

Each table is a month with {submissions} submissions that run for {run} minutes each, on a host that boots and ends in {boot}. What
costs nothing is not listed: VPC, subnets, security groups, key pair, launch template, S3's gateway endpoint, the connect endpoint,
pipeline, parameter, budget, roles. Traffic to the internet costs too; submissions have none.
"""

_ABOUT_IMAGES = """\
## What images cost

A build runs one instance of `infra.image.instance_type`, its test phase another, and `verify-ami` a host of `worker.instance_type`,
one after the other; each ends by itself at its deadline even when nobody is left to end it. A failed build costs what it ran. An
image then costs its snapshot until `invoke images --prune` or retirement removes it: keep few (`infra.image.keep`), and keep data
that many images would carry in a bucket. An unchanged event is not rebuilt.

The test phase's `nvidia-smi` proves something on a GPU type only. Leave `infra.image.instance_type` small all the same:
`verify-ami` looks at the GPU on the event's own type, which takes minutes instead of a build's hour.
"""

_TAIL = """\
## What makes the bill large

| what | why | instead |
|---|---|---|
| `infra.network.nat: true` | a NAT gateway costs by the hour, used or not, and by the GiB | submissions need no way out, and images are built in a public subnet without it |
| `infra.network.endpoints` | each costs by the hour in each zone | S3's is free; the others are for private builds only |
| `infra.fleet.target`, `infra.dask.target` above 0 | these machines run from `up` on, whether submissions come or not | `0`, until somebody raises it; hosts of single runs are launched when runs wait, and need no fleet |
| `access: gateway` | the jump host runs as long as the stack | `eice` costs nothing by itself, `public` only the hosts' addresses |
| hosts that never end | they cannot: deadline on the host, the dispatcher, and `invoke reap` each end them | [stop everything](stop-everything.md) |
"""


if __name__ == "__main__":
    (HERE / "costs.md").write_text(page(), encoding="utf-8")
