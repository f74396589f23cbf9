"""Manage a machine's own units: hear what systemctl asks, watch paths, let services be kept."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.machines.units import enabling, places, unit_file
from localcloud.machines.units.service_keeper import State
from localcloud.machines.units.unit_file import PathUnit, UnitError

QUESTIONS = ("is-active", "status")
"""What anybody may ask; the rest is root's."""

_MESSAGE_BYTES = 1 << 16
_ASKING_S = 5.0
_LOOK_S = 0.1
_NOT_AGAIN_BEFORE_S = 1.0
_LAST_LINES = 10
_BESIDE_ACTIVE = 3


@dataclass(slots=True)
class _Kept:
    """A service's keeper, what it last told, and who waits for it to have done something, in the order asked."""

    wire: socket.socket
    process: subprocess.Popen[bytes]
    state: State = State.INACTIVE
    main: int | None = None
    askers: list[socket.socket | None] = field(default_factory=list)


@dataclass(slots=True)
class _Watched:
    unit: PathUnit
    last_started: float = float("-inf")


def serve(*, level: str, is_boot: bool) -> None:
    """Manage until the machine ends; a second manager of a machine ends at once."""
    places.FOLDER.mkdir(exist_ok=True)
    places.LOGS.mkdir(parents=True, exist_ok=True)
    lock = os.open(places.FOLDER / "lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    errors = os.open(places.LOGS / "manager.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(errors, 2)
    places.SOCKET.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        # nobody finds the socket before it can be used
        unready = f"{places.SOCKET}.new"
        listener.bind(unready)
        Path(unready).chmod(0o666)
        listener.listen()
        Path(unready).rename(places.SOCKET)
        manager = _Manager(level, listener)
        if is_boot:
            manager.boot()
        manager.run()


class _Manager:
    def __init__(self, level: str, listener: socket.socket) -> None:
        self._level = level
        self._listener = listener
        self._texts: dict[str, str] = {}
        self._kept: dict[str, _Kept] = {}
        self._watched: dict[str, _Watched] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, None)

    def boot(self) -> None:
        """Start what is enabled; what cannot be is said in the manager's log."""
        for name in enabling.enabled():
            try:
                self._ask(None, "start", name)
            except (UnitError, OSError) as error:
                _say(f"{name}: {error}")

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select(_LOOK_S if self._is_looking() else None):
                if key.data is None:
                    self._hear()
                else:
                    self._note(key.data)
            self._look()

    # what is asked

    def _hear(self) -> None:
        asker = self._listener.accept()[0]
        asker.settimeout(_ASKING_S)
        try:
            request = json.loads(asker.recv(_MESSAGE_BYTES))
            verb, name = str(request["verb"]), str(request["unit"])
            if verb not in QUESTIONS and _uid_of(asker) != 0:
                raise UnitError("must be root")
            self._ask(asker, verb, name, waits=bool(request.get("waits", True)))
        except (UnitError, OSError, ValueError, KeyError) as error:
            _answer(asker, 1, error=str(error))

    def _ask(self, asker: socket.socket | None, verb: str, name: str, *, waits: bool = True) -> None:
        """Have it done; the asker gets an answer now or, from a service, when it is. Raises UnitError and OSError."""
        if verb in QUESTIONS:
            _answer(asker, 0 if self._state(name) is State.ACTIVE else _BESIDE_ACTIVE, out=self._told(verb, name))
        elif verb == "daemon-reload":
            self._texts.clear()
            _answer(asker, 0)
        elif name.endswith(".path"):
            self._watch(verb, name)
            _answer(asker, 0)
        elif verb == "stop" and name not in self._kept:
            _answer(asker, 0)
        else:
            self._do(asker if waits else None, verb, name)
            if not waits:
                _answer(asker, 0)

    def _watch(self, verb: str, name: str) -> None:
        if verb == "stop":
            self._watched.pop(name, None)
            return
        unit = unit_file.read(name, self._text(name))
        if isinstance(unit, PathUnit):
            unit_file.read(unit.service, self._text(unit.service))  # refused now rather than when the path is there
            self._watched[name] = _Watched(unit)

    def _do(self, asker: socket.socket | None, verb: str, name: str) -> None:
        text = self._text(name)
        unit_file.read(name, text)
        kept = self._kept.get(name) or self._kept.setdefault(name, self._keep(name))
        kept.wire.send(json.dumps({"verb": verb, "unit": text}).encode())
        kept.askers.append(asker)

    def _keep(self, name: str) -> _Kept:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-I", "-S", "-B", sys.argv[0], "keep", self._level, name, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        self._selector.register(ours, selectors.EVENT_READ, name)
        return _Kept(ours, process)

    def _text(self, name: str) -> str:
        """What a unit's file said when it was first needed after the last reload."""
        if name not in self._texts:
            if not places.is_own(name):
                raise UnitError(f"Unit {name} not found.")
            self._texts[name] = (places.UNITS / name).read_text()
        return self._texts[name]

    # what services tell

    def _note(self, name: str) -> None:
        kept = self._kept[name]
        message = kept.wire.recv(_MESSAGE_BYTES)
        if not message:
            self._forget(name, kept)
            return
        news: dict[str, Any] = json.loads(message)
        if "state" in news:
            kept.state, kept.main = State(news["state"]), news.get("main")
        if "done" in news:
            _answer(kept.askers.pop(0), 1 if news["error"] else 0, error=news["error"])

    def _forget(self, name: str, kept: _Kept) -> None:
        """Its keeper was killed: what it kept is no service any more."""
        self._selector.unregister(kept.wire)
        kept.wire.close()
        kept.process.wait()
        del self._kept[name]
        for asker in kept.askers:
            _answer(asker, 1, error=f"the keeper of {name} was killed")

    # what paths are waited for

    def _is_looking(self) -> bool:
        return any(self._is_idle(watched) for watched in self._watched.values())

    def _is_idle(self, watched: _Watched) -> bool:
        return self._state(watched.unit.service) in (State.INACTIVE, State.FAILED)

    def _look(self) -> None:
        for name, watched in list(self._watched.items()):
            if not self._is_idle(watched) or time.monotonic() < watched.last_started + _NOT_AGAIN_BEFORE_S:
                continue
            if any(Path(path).exists() for path in watched.unit.paths):
                watched.last_started = time.monotonic()
                try:
                    self._do(None, "start", watched.unit.service)
                except (UnitError, OSError) as error:
                    _say(f"{name}: {error}")

    # what is said of units

    def _state(self, name: str) -> State:
        if name.endswith(".path"):
            return State.ACTIVE if name in self._watched else State.INACTIVE
        kept = self._kept.get(name)
        return kept.state if kept else State.INACTIVE

    def _told(self, verb: str, name: str) -> str:
        state = self._state(name)
        if verb == "is-active":
            return f"{state}\n"
        kept = self._kept.get(name)
        lines = [f"● {name}", f"     Active: {state}"]
        if kept is not None and kept.main is not None:
            lines.append(f"   Main PID: {kept.main}")
        log = places.log_of(name)
        if name.endswith(".service") and log.exists():
            lines += [f"        Log: {log}", "", *log.read_text(errors="replace").splitlines()[-_LAST_LINES:]]
        return "\n".join([*lines, ""])


def _uid_of(asker: socket.socket) -> int:
    credentials = asker.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    uid: int = struct.unpack("3i", credentials)[1]
    return uid


def _answer(asker: socket.socket | None, code: int, *, out: str = "", error: str = "") -> None:
    """Answer who waits, if anybody does; else an error goes to the manager's log."""
    if asker is None:
        if error:
            _say(error)
        return
    with asker:
        try:
            asker.sendall(json.dumps({"code": code, "out": out, "error": error}).encode())
        except OSError:
            return  # it waits no more


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
