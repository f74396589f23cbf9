"""The words of `python -m localcloud inject`: one for every kind of fault."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from localcloud import control
from localcloud.injections import KINDS, Fault, Market
from localcloud.state import State

_EXAMPLES = {
    "freeze": "freeze i-0123456789abcdef0 --seconds 45",
    "partition": "partition i-0123456789abcdef0 --seconds 45",
    "no-capacity": "no-capacity --instance-type c5.large --market spot",
    "quota": "quota --market spot --above 4",
    "throttle": "throttle --action 'Describe*' --fraction 0.7 --seconds 60",
    "slow": "slow --delay-s 2 --action RunInstances",
    "lost-answer": "lost-answer --action RunInstances --count 1",
    "unseen": "unseen --younger-than-s 20 --seconds 300",
    "hollow-termination": "hollow-termination --count 1",
    "stuck-image": "stuck-image --count 1",
}
_HELP = {
    "instance_id": "the instance",
    "instance_type": "of this type only",
    "subnet_id": "in this subnet only",
    "market": "spot or on-demand",
    "above": "how many may live",
    "action": "name of the action, with * and ?",
    "fraction": "how many of the calls: 0 to 1 (default 1)",
    "seed": "same seed, same calls (default 0)",
    "delay_s": "seconds added to each call",
    "younger_than_s": "every instance younger than that",
}
_PARSERS: Mapping[object, Callable[[str], Any]] = {float: float, int: int}


def add_to(commands: Any, parent: argparse.ArgumentParser, running: Callable[[argparse.Namespace], State]) -> None:
    """Add `inject` and all below it; `running` finds the cloud that is meant."""
    about = "hurt the running cloud: capacity, quotas, throttling, latency, frozen hosts and more"
    example = "example: python -m localcloud inject throttle --action 'Describe*' --fraction 0.7 --seconds 60"
    inject = commands.add_parser("inject", help=about, description=about, epilog=example)
    kinds = inject.add_subparsers(title="faults", metavar="FAULT", required=True)
    for name, kind in KINDS.items():
        _add_kind(kinds, parent, name, kind).set_defaults(run=lambda asked, name=name: _inject(asked, running, name))
    about = "list the faults in force"
    kinds.add_parser("list", parents=[parent], help=about, description=about).set_defaults(
        run=lambda asked: _list(asked, running)
    )
    about = "end a fault before its time"
    undo = kinds.add_parser("undo", parents=[parent], help=about, description=about)
    undo.add_argument("injection", metavar="NAME", help="as `list` shows it; `all` for every one")
    undo.set_defaults(run=lambda asked: control.ask(running(asked), "undo", asked.injection))
    about = "count the calls of the cloud by action, refused ones included"
    commands.add_parser("calls", parents=[parent], help=about, description=about).set_defaults(
        run=lambda asked: _calls(asked, running)
    )


def _add_kind(kinds: Any, parent: argparse.ArgumentParser, name: str, kind: type[Fault]) -> argparse.ArgumentParser:
    example = f"example: python -m localcloud inject {_EXAMPLES[name]}"
    parser: argparse.ArgumentParser = kinds.add_parser(
        name, parents=[parent], help=kind.about, description=kind.about, epilog=example
    )
    types = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        required = field.default is dataclasses.MISSING
        options: dict[str, Any] = {"help": _HELP[field.name], "type": _parser_of(types[field.name])}
        if field.name == "market":
            options["choices"] = [str(market) for market in Market]
        if field.name == "instance_id":
            parser.add_argument("instance_id", metavar="ID", nargs=None if required else "?", **options)
        else:
            parser.add_argument("--" + field.name.replace("_", "-"), required=required, **options)
    if kind.counted:
        parser.add_argument("--count", type=int, help="end after so many times (default: never)")
    parser.add_argument("--seconds", type=float, help="end after so many seconds (default: never)")
    return parser


def _parser_of(hint: object) -> Callable[[str], Any]:
    for kind, parser in _PARSERS.items():
        if hint is kind or hint == kind | None:  # type: ignore[operator]
            return parser
    return str


def _inject(asked: argparse.Namespace, running: Callable[[argparse.Namespace], State], name: str) -> None:
    parameters = {field.name: getattr(asked, field.name) for field in dataclasses.fields(KINDS[name])}
    count = getattr(asked, "count", None)
    wanted = {"kind": name, "parameters": parameters, "count": count, "seconds": asked.seconds}
    answer = control.ask(running(asked), "inject", body=json.dumps(wanted))
    if getattr(asked, "json", False):
        print(json.dumps(answer))
    else:
        print(f"{answer['injection']}: {KINDS[name].about}")
        print(f"end it: python -m localcloud inject undo {answer['injection']}")


def _list(asked: argparse.Namespace, running: Callable[[argparse.Namespace], State]) -> None:
    faults = control.ask(running(asked), "injections")
    if getattr(asked, "json", False):
        print(json.dumps(faults))
        return
    for fault in faults:
        name, kind = fault.pop("injection"), fault.pop("kind")
        said = "  ".join(f"{key}={value}" for key, value in fault.items() if value is not None)
        print(f"{name:<10}{kind:<20}{said}")


def _calls(asked: argparse.Namespace, running: Callable[[argparse.Namespace], State]) -> None:
    calls = control.ask(running(asked), "calls")
    if getattr(asked, "json", False):
        print(json.dumps(calls))
    else:
        print("".join(f"{action:<40}{count}\n" for action, count in sorted(calls.items())), end="")
