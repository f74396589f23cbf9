"""Stand in for the pulumi program, which the tests do not have: notes how it is called, and answers what it is told to.

It deploys nothing and runs no program. Its folder (STANDIN_PULUMI) holds `script.json`: for each operation the engine
events, the exit code and what goes to standard error; with the version, the stacks there are, and their outputs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["STANDIN_PULUMI"])
OPERATIONS = ("preview", "up", "refresh", "destroy")


def main(argv: list[str]) -> int:
    noted = {name: value for name, value in os.environ.items() if name.startswith(("PULUMI_", "RAMPART_"))}
    with (FOLDER / "calls.jsonl").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps({"argv": argv, "environment": noted, "folder": str(Path.cwd())}) + "\n")
    script = json.loads((FOLDER / "script.json").read_text(encoding="utf-8"))
    words = [word for word in argv if word != "--non-interactive"]
    if words == ["version"]:
        print(script["version"])
        return 0
    if script.get("refuses"):
        print(script["refuses"], file=sys.stderr)
        return 255
    if words[0] in OPERATIONS:
        return operate(words, script[words[0]])
    return stack(words[1:], script)


def stack(words: Sequence[str], script: dict[str, Any]) -> int:
    stacks = FOLDER / "stacks"
    match words[0]:
        case "select":
            name = words[words.index("--stack") + 1]
            if not (stacks / name).exists():
                print(f"error: no stack named '{name}' found", file=sys.stderr)
                return 255
        case "init":
            (stacks / words[1]).touch(exist_ok=False)
        case "output":
            print(json.dumps(script["outputs"] if "--show-secrets" in words else script["masked"]))
        case "history":
            entry = {"kind": "update", "startTime": "2025-03-04T05:06:07.000Z", "message": "", "environment": {}}
            print(json.dumps([entry | {"config": {}, "result": "succeeded"}]))
        case other:
            print(f"error: the stand-in knows no `pulumi stack {other}`", file=sys.stderr)
            return 255
    return 0


def operate(words: Sequence[str], told: dict[str, Any]) -> int:
    log = words[words.index("--event-log") + 1]
    events = [json.dumps({"sequence": number, **event}) for number, event in enumerate(told["events"])]
    if log.startswith("tcp://"):
        stream(log.removeprefix("tcp://"), events)
    else:
        Path(log).write_text("".join(f"{event}\n" for event in events), encoding="utf-8")
    print("what the program prints for people, which nobody reads here")
    print(told.get("stderr", ""), file=sys.stderr)
    return int(told.get("exit_code", 0))


def stream(address: str, events: Sequence[str]) -> None:
    import grpc  # type: ignore[import-untyped]
    from pulumi.runtime.proto import events_pb2, events_pb2_grpc

    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = events_pb2_grpc.EventsStub(channel)
        stub.StreamEvents(iter([events_pb2.EventRequest(event=event) for event in events]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
