"""Be systemctl for the machine's own units: links on disk here, the rest by the manager."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence

from localcloud.machines.units import enabling, places
from localcloud.machines.units.unit_file import UnitError

Options = frozenset[str]

_QUIET = frozenset(("-q", "--quiet"))
_VERBS = ("start", "stop", "restart", "is-active", "status")
_START_S = 10.0
_PAUSE_S = 0.01
_INACTIVE = 3


def run(words: Sequence[str]) -> int:
    """Do what the words of a systemctl command ask; gives the exit code."""
    plain = [word for word in words if not word.startswith("-")]
    verb, names = plain[0], [places.full_name(word) for word in plain[1:]]
    options = frozenset(words) - frozenset(plain)
    if verb == "daemon-reload":
        return _ask(verb, "", options)
    codes = []
    for name in names:
        if not places.is_own(name):
            _say(f"{name}: recorded: nothing is supervised here but what this machine wrote itself")
            continue
        try:
            codes.append(_do(verb, name, options))
        except (UnitError, OSError) as error:
            _say(f"{name}: {error}")
            codes.append(1)
    return max(codes, default=0)


def _do(verb: str, name: str, options: Options) -> int:
    if verb in ("enable", "disable"):
        for line in enabling.enable(name) if verb == "enable" else enabling.disable(name):
            _say(line)
        return _ask("start" if verb == "enable" else "stop", name, options) if "--now" in options else 0
    if verb == "is-enabled":
        is_enabled = enabling.is_enabled(name)
        if not _QUIET & options:
            print("enabled" if is_enabled else "disabled")
        return 0 if is_enabled else 1
    if verb not in _VERBS:
        raise UnitError(f"'{verb}' is not emulated")
    return _ask(verb, name, options)


def _ask(verb: str, name: str, options: Options) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as manager:
        if not _connected(manager):
            if verb in ("is-active", "status"):
                if not _QUIET & options:
                    print("inactive")
                return _INACTIVE
            _wait_for_manager(manager)
        manager.sendall(json.dumps({"verb": verb, "unit": name, "waits": "--no-block" not in options}).encode())
        told = b"".join(iter(lambda: manager.recv(1 << 16), b""))
    if not told:
        raise UnitError("the manager of the units was killed")
    answer = json.loads(told)
    if answer["out"] and not _QUIET & options:
        sys.stdout.write(answer["out"])
    if answer["error"]:
        _say(f"{name}: {answer['error']}")
    return int(answer["code"])


def _connected(manager: socket.socket) -> bool:
    try:
        manager.connect(str(places.SOCKET))
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def _wait_for_manager(manager: socket.socket) -> None:
    """Ask the machine's first process for a manager, as only somebody outside can start one with a network."""
    try:
        os.kill(1, signal.SIGUSR1)
    except PermissionError as error:
        raise UnitError("must be root") from error
    until = time.monotonic() + _START_S
    while not _connected(manager):
        if time.monotonic() > until:
            raise UnitError("no manager of units has come up")
        time.sleep(_PAUSE_S)


def _say(what: str) -> None:
    print(f"systemctl: {what}", file=sys.stderr)
