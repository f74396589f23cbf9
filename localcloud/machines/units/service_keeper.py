"""Keep one service: start it, start it again, end it, whatever its processes do."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum

from localcloud.machines.units import descent, main_process, places, unit_file
from localcloud.machines.units.unit_file import KillMode, Restart, Service

_MESSAGE_BYTES = 1 << 16
_LOOK_AGAIN_S = 0.05
_ENOUGH_S = 5.0


class State(StrEnum):
    """What systemd calls it."""

    ACTIVE = "active"
    ACTIVATING = "activating"
    INACTIVE = "inactive"
    FAILED = "failed"


def keep(name: str, level: str, fd: int) -> None:
    """Do what comes over the socket `fd`, until it closes; tell every change of state there."""
    manager = socket.socket(fileno=fd)
    manager.set_inheritable(False)  # it is no business of the service
    descent.adopt_orphans()
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    places.LOGS.mkdir(parents=True, exist_ok=True)
    log = os.open(places.log_of(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    keeper = _ServiceKeeper(level, manager, reader, log)
    while True:
        if keeper.hears_manager():
            message = manager.recv(_MESSAGE_BYTES)
            if not message:
                return
            keeper.do(**json.loads(message))


class _ServiceKeeper:
    def __init__(self, level: str, manager: socket.socket, ended: int, log: int) -> None:
        self._level = level
        self._manager = manager
        self._ended = ended
        self._log = log
        self._unit: Service | None = None
        self._main: int | None = None
        self._start_at: float | None = None
        self._stopping = False

    def hears_manager(self) -> bool:
        """Wait for news, collecting what ends and starting what is due; says whether there is a message."""
        wait_s = None if self._start_at is None else max(0.0, self._start_at - time.monotonic())
        readable = select.select([self._manager.fileno(), self._ended], [], [], wait_s)[0]
        if self._ended in readable:
            self._collect()
        if self._start_at is not None and time.monotonic() >= self._start_at:
            self._start()
        return self._manager.fileno() in readable

    def do(self, verb: str, unit: str) -> None:
        """Do what was asked, then say that it is done; `unit` is the text of the unit's file."""
        try:
            read = unit_file.read("a.service", unit)
        except (unit_file.UnitError, ValueError) as error:
            self._tell(done=verb, error=str(error))
            return
        if isinstance(read, Service):
            if verb in ("stop", "restart") and self._unit is not None:
                self._stop(self._unit)
            self._unit = read
            if verb in ("start", "restart") and self._main is None:
                self._start()
        self._tell(done=verb, error="")

    def _start(self) -> None:
        self._start_at = None
        if self._unit is None:
            return
        self._main = main_process.start(self._unit, self._level, self._log)
        self._say(f"started, main process {self._main}")
        if self._unit.ignored:
            self._say(f"not followed here: {', '.join(self._unit.ignored)}")
        self._tell(state=State.ACTIVE, main=self._main)

    def _stop(self, unit: Service) -> None:
        self._start_at = None
        self._stopping = True
        self._end(unit)
        self._stopping = False
        self._tell(state=State.INACTIVE)

    def _end(self, unit: Service) -> None:
        """Ask whom a stop ends to end, then do not ask any more."""
        for number, patience_s in ((signal.SIGTERM, unit.stop_s), (signal.SIGKILL, _ENOUGH_S)):
            for pid in self._whom(unit):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            until = time.monotonic() + patience_s
            while self._whom(unit):
                if time.monotonic() > until:
                    break
                select.select([self._ended], [], [], _LOOK_AGAIN_S)
                self._collect()
            else:
                return
        self._say("some of its processes do not end")

    def _whom(self, unit: Service) -> list[int]:
        main = [] if self._main is None else [self._main]  # until its end is noted, too
        return main if unit.kill_mode is KillMode.PROCESS else sorted({*main, *descent.below(os.getpid())})

    def _collect(self) -> None:
        """Collect who has ended, the orphans too; the main process's end is the service's."""
        with suppress(BlockingIOError):
            os.read(self._ended, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._main:
                self._main = None
                self._main_has_ended(os.waitstatus_to_exitcode(status))

    def _main_has_ended(self, code: int) -> None:
        self._say(f"main process ended by signal {-code}" if code < 0 else f"main process ended with {code}")
        unit = self._unit
        if self._stopping or unit is None:
            return
        if unit.kill_mode is KillMode.CONTROL_GROUP:
            self._stopping = True  # what is left ends with it, and its ends are no news
            self._end(unit)
            self._stopping = False
        # these signals are how a service is asked to end: to systemd that is no failure
        failed = code not in (0, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT, -signal.SIGPIPE)
        if unit.restart is Restart.ALWAYS or (unit.restart is Restart.ON_FAILURE and failed):
            self._start_at = time.monotonic() + unit.restart_s
            self._tell(state=State.ACTIVATING)
        else:
            self._tell(state=State.FAILED if failed else State.INACTIVE)

    def _say(self, what: str) -> None:
        os.write(self._log, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} units: {what}\n".encode())

    def _tell(self, **news: object) -> None:
        with suppress(OSError):  # nobody asks any more
            self._manager.send(json.dumps(news).encode())
