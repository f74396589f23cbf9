"""The command line of the local cloud: start it, find it, end it, hurt it."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from contracts.errors import RampartError
from localcloud import control, environment, inject_command, state

DEFAULT_FOLDER = Path(".rampart/localcloud")
_STOP_TIMEOUT_S = 60.0
_STOP_LOOK_S = 0.05

_NEXT = """\
The local cloud runs (level {level}); Ctrl-C ends it. In another shell:
  eval "$({python} -m localcloud env{folder})"
  aws ec2 describe-instances
  ssh -F "$RAMPART_SSH_CONFIG" ADDRESS hostname
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 fine, 1 failed, 2 asked wrongly."""
    asked = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], None] = asked.run
    try:
        command(asked)
    except RampartError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def start(asked: argparse.Namespace) -> None:
    """Hold a cloud until a signal or `stop` ends it."""
    from localcloud.cloud import LocalCloud
    from localcloud.machines import Level

    folder = _folder(asked)
    stop_asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop_asked.set())
    with LocalCloud(
        folder,
        Level(asked.level) if getattr(asked, "level", None) else None,
        getattr(asked, "real_packages", False),
        port=getattr(asked, "port", 0),
        on_stop_asked=stop_asked.set,
    ) as cloud:
        _print_environment(asked, cloud.environment)
        option = "" if folder == DEFAULT_FOLDER else f" --folder {folder}"
        print(_NEXT.format(level=cloud.level, python=Path(sys.executable).name, folder=option), file=sys.stderr)
        stop_asked.wait()


def env(asked: argparse.Namespace) -> None:
    """Print the environment of the running cloud."""
    _print_environment(asked, _running(asked).environment)


def status(asked: argparse.Namespace) -> None:
    """Say what runs, and where."""
    running = _running(asked)
    shown = {
        "pid": running.pid,
        "level": running.level,
        "endpoint": running.environment["AWS_ENDPOINT_URL"],
        "ssh_config": running.environment["RAMPART_SSH_CONFIG"],
    }
    if _wants_json(asked):
        print(json.dumps(shown))
    else:
        print("".join(f"{name:<12}{value}\n" for name, value in shown.items()), end="")


def stop(asked: argparse.Namespace) -> None:
    """End the running cloud, and wait until it has."""
    control.ask(_running(asked), "stop")
    deadline = time.monotonic() + _STOP_TIMEOUT_S
    while state.is_claimed(_folder(asked)):
        if time.monotonic() > deadline:
            raise RampartError("the local cloud does not end", hint="python -m localcloud status gives its process id")
        time.sleep(_STOP_LOOK_S)


def announce(asked: argparse.Namespace) -> None:
    """Do something to an instance that EC2 does on its own."""
    argument = asked.instance_id
    if getattr(asked, "seconds", None) is not None:
        argument += f"/{asked.seconds}"
    control.ask(_running(asked), asked.fault, argument)


def _running(asked: argparse.Namespace) -> state.State:
    folder = _folder(asked)
    running = state.read(folder)
    if running is None:
        raise RampartError(f"no local cloud runs in {folder}", hint="start one: python -m localcloud")
    return running


def _print_environment(asked: argparse.Namespace, variables: dict[str, str]) -> None:
    text = json.dumps(variables) + "\n" if _wants_json(asked) else environment.as_exports(variables)
    print(text, end="", flush=True)


def _folder(asked: argparse.Namespace) -> Path:
    folder: Path = getattr(asked, "folder", DEFAULT_FOLDER)
    return folder


def _wants_json(asked: argparse.Namespace) -> bool:
    return bool(getattr(asked, "json", False))


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not a port (0 to 65535; 0 takes a free one)")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    """Options may stand before or after the command: an absent one must not hide one given on the other side."""
    absent = argparse.SUPPRESS
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--folder", type=Path, default=absent, help=f"where the cloud keeps everything (default {DEFAULT_FOLDER})"
    )
    common.add_argument("--json", action="store_true", default=absent, help="print data as JSON")
    starting = argparse.ArgumentParser(add_help=False, parents=[common])
    starting.add_argument(
        "--level", choices=["full", "user", "plain"], default=absent, help="how apart machines are (default: strongest)"
    )
    starting.add_argument("--port", type=_port, default=absent, help="port of the AWS API (default: a free one)")
    starting.add_argument(
        "--real-packages", action="store_true", default=absent, help="let apt-get and the like really install (full)"
    )
    parser = argparse.ArgumentParser(
        "python -m localcloud",
        description="An AWS on loopback with real hosts.",
        epilog='example: python -m localcloud & eval "$(python -m localcloud env)"; aws ec2 describe-instances',
        parents=[starting],
    )
    parser.set_defaults(run=start)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, run, parent, about in (
        ("start", start, starting, "run a local cloud until Ctrl-C (what no command means)"),
        ("env", env, common, "print the running cloud's environment for a shell's eval"),
        ("status", status, common, "say whether a cloud runs"),
        ("stop", stop, common, "end the running cloud"),
    ):
        commands.add_parser(name, parents=[parent], help=about, description=about).set_defaults(run=run)
    for fault, about in (
        ("spot-notice", "announce a spot instance's end, in two minutes unless said otherwise"),
        ("rebalance", "announce a rebalance recommendation to a spot instance"),
        ("lose", "end an instance at once, as failing hardware does"),
    ):
        faulty = commands.add_parser(fault, parents=[common], help=about, description=about)
        faulty.add_argument("instance_id", metavar="ID")
        if fault == "spot-notice":
            faulty.add_argument("--seconds", type=float, help="until the end (default 120)")
        faulty.set_defaults(run=announce, fault=fault)
    inject_command.add_to(commands, common, _running)
    return parser


if __name__ == "__main__":
    sys.exit(main())
