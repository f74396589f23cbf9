"""Keep machines for another process, and end with it.

Run as a process of its own with one thread, because namespaces, mounts and forks do not mix with threads. It answers
requests on a socket; when that socket closes, however its owner ended, every machine is killed and everything they
held is gone with the namespaces.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from localcloud.machines import boot, cgroups, inside, linux
from localcloud.machines.full_store import FullStore
from localcloud.machines.level import Level
from localcloud.machines.plan import ADDRESS_INSIDE, EXIT_REBOOT, RoomPlan
from localcloud.machines.user_store import UserStore

_MESSAGE_BYTES = 1 << 16
_PATIENCE_S = 0.3
_NEWS = {boot.Wish.RELOAD_SSH: "reloads", boot.Wish.MANAGE_UNITS: "units"}


class Store(Protocol):
    """Where the files of machines and images are, at one level."""

    kinds: tuple[str, ...]

    def prepare(self, machine: str, image: str | None, login_user: str) -> None: ...
    def root(self, machine: str) -> str: ...
    def assemble(self, machine: str, calls: Path) -> None: ...
    def snapshot(self, machine: str, image: str) -> None: ...
    def forget_image(self, image: str) -> None: ...
    def remove(self, machine: str) -> None: ...
    def close(self) -> None: ...


class Keeper:
    """The machines of one room by name, and what may be asked about them."""

    def __init__(self, plan: RoomPlan) -> None:
        self._plan = plan
        self._store: Store = FullStore(plan) if plan.level == Level.FULL else UserStore(plan)
        self._running: dict[str, boot.Booted] = {}
        self._addresses: dict[str, str] = {}

    def create(self, machine: str, image: str | None, login_user: str, address: str) -> dict[str, Any]:
        try:
            self._store.prepare(machine, image, login_user)
            calls = Path(self._plan.folder, "calls", machine)
            calls.write_bytes(b"")
            calls.chmod(0o666)
            self._addresses[machine] = address
            return self.start(machine)
        except BaseException:
            self._store.remove(machine)
            raise

    def start(self, machine: str) -> dict[str, Any]:
        if machine not in self._running:
            calls = Path(self._plan.folder, "calls", machine)
            group = cgroups.make(machine, self._plan.memory_bytes)
            self._running[machine] = boot.boot(
                self._store.kinds,
                machine,
                lambda: self._assemble(machine, calls),
                self._store.root(machine),
            )
            cgroups.enter(group, self._running[machine].first)
        return self._where(machine)

    def _assemble(self, machine: str, calls: Path) -> None:
        self._store.assemble(machine, calls)
        Path(self._store.root(machine) + ADDRESS_INSIDE).write_text(self._addresses[machine])

    def _where(self, machine: str) -> dict[str, Any]:
        running = self._running[machine]
        return {
            "namespaces": {kind: f"/proc/{os.getpid()}/fd/{fd}" for kind, fd in running.namespaces.items()},
            "cgroups": cgroups.folders(machine),
            "first": running.first,
        }

    def freeze(self, machine: str) -> None:
        if machine in self._running:
            inside.freeze(self._running[machine].namespaces["pid"])

    def thaw(self, machine: str) -> None:
        if machine in self._running:
            running = self._running[machine]
            inside.thaw(running.namespaces["pid"])
            _signal_entered(running, signal.SIGCONT)  # `nsenter` stops with its child, and does not wake with it

    def stop(self, machine: str) -> None:
        running = self._running.pop(machine, None)
        if running is None:
            return
        _signal(running.first, signal.SIGKILL)
        if not _ended_within(running.watcher, _PATIENCE_S):
            # a stopped `nsenter` does not collect its child, and a PID namespace waits for that: wake it, then end it
            for signal_number in (signal.SIGCONT, signal.SIGKILL):
                _signal_entered(running, signal_number)
                if _ended_within(running.watcher, _PATIENCE_S):
                    break
            # else: everything inside is dead, and somebody outside has not collected it yet: no reason to wait
        self._let_go(machine, running)

    def _let_go(self, machine: str, running: boot.Booted) -> None:
        for fd in (*running.namespaces.values(), running.wishes):
            os.close(fd)
        cgroups.remove(machine)

    def destroy(self, machine: str) -> None:
        self.stop(machine)
        self._store.remove(machine)
        self._addresses.pop(machine, None)

    def snapshot(self, machine: str, image: str) -> None:
        self._store.snapshot(machine, image)

    def forget_image(self, image: str) -> None:
        self._store.forget_image(image)

    def listen(self, machine: str, host: str, port: int) -> int:
        """Return a listening socket made inside the machine's network."""
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:
            _listen_and_send(self._running[machine].namespaces, host, port, theirs)
        theirs.close()
        with ours:
            message, fds, _, _ = socket.recv_fds(ours, 1024, 1)
        os.waitpid(child, 0)
        if not fds:
            raise OSError(message.decode() or "no socket inside the machine")
        return fds[0]

    def ended(self) -> list[dict[str, Any]]:
        """Collect machines that ended by themselves; those that want to be started again are told apart."""
        news = []
        for machine, running in list(self._running.items()):
            pid, status = os.waitpid(running.watcher, os.WNOHANG)
            if pid == 0:
                continue
            del self._running[machine]
            self._let_go(machine, running)
            wants_again = os.waitstatus_to_exitcode(status) == EXIT_REBOOT
            news.append({"event": "reboots" if wants_again else "ended", "machine": machine})
        return news

    def wishes(self) -> dict[int, str]:
        """The machines, by the descriptor that can be read when they wish for something."""
        return {running.wishes: machine for machine, running in self._running.items()}

    def close(self) -> None:
        for running in self._running.values():
            _signal(running.first, signal.SIGKILL)
        for machine in list(self._running):
            self.stop(machine)
        self._store.close()


def main(fd: int) -> None:
    """Serve the owner on the socket `fd` until it closes; the plan of the room is its first message."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's business
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # five namespaces a machine
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    owner = socket.socket(fileno=fd)
    try:
        keeper = Keeper(RoomPlan.from_json(owner.recv(_MESSAGE_BYTES).decode()))
    except OSError as error:
        _tell(owner, {"failed": str(error)})
        sys.exit(1)
    try:
        _tell(owner, {"answer": None})
        _serve(owner, keeper)
    finally:
        keeper.close()


def _serve(owner: socket.socket, keeper: Keeper) -> None:
    wake_reader, wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        wishes = keeper.wishes()
        readable = _readable(owner.fileno(), wake_reader, *wishes)
        for fd in readable & wishes.keys():
            for wish in boot.wishes(os.eventfd_read(fd)):
                _tell(owner, {"event": _NEWS[wish], "machine": wishes[fd]})
        if wake_reader in readable:
            os.read(wake_reader, 4096)
            for news in keeper.ended():
                _tell(owner, news)
        if owner.fileno() in readable:
            message = owner.recv(_MESSAGE_BYTES)
            if not message:
                return
            _answer(owner, keeper, json.loads(message))


def _readable(*descriptors: int) -> set[int]:
    """Wait until some of them can be read; their numbers may be beyond what `select` can take."""
    poll = select.poll()
    for fd in descriptors:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll()}


def _answer(owner: socket.socket, keeper: Keeper, request: dict[str, Any]) -> None:
    verb = request.pop("do")
    try:
        result = getattr(keeper, verb)(**request)
    except Exception as error:  # whatever one request does, the other machines go on
        _tell(owner, {"failed": str(error) or type(error).__name__})
        return
    if verb == "listen":
        socket.send_fds(owner, [b'{"answer": null}'], [result])
        os.close(result)
    else:
        _tell(owner, {"answer": result})


def _tell(owner: socket.socket, message: dict[str, Any]) -> None:
    try:
        owner.send(json.dumps(message).encode())
    except OSError:
        sys.exit(0)  # the owner is gone


def _listen_and_send(namespaces: dict[str, int], host: str, port: int, channel: socket.socket) -> None:
    try:
        if "user" in namespaces:
            linux.setns(namespaces["user"])
        linux.setns(namespaces["net"])
        with socket.create_server((host, port), backlog=64) as server:
            socket.send_fds(channel, [b"."], [server.fileno()])
    except BaseException as error:
        channel.send(str(error).encode() or b"failed")
    finally:
        os._exit(0)


def _signal(pid: int, signal_number: int) -> None:
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return


def _ended_within(pid: int, seconds: float) -> bool:
    ended = os.pidfd_open(pid)
    try:
        deadline = time.monotonic() + seconds
        while not select.select([ended], [], [], max(0.0, deadline - time.monotonic()))[0]:
            if time.monotonic() >= deadline:
                return False
        os.waitpid(pid, 0)
        return True
    finally:
        os.close(ended)


def _signal_entered(running: boot.Booted, signal_number: int) -> None:
    """Signal the processes outside whose children live in the machine."""
    wanted = os.fstat(running.namespaces["pid"])
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) not in (running.watcher, os.getpid()):
            try:
                found = (folder / "ns" / "pid_for_children").stat()
            except OSError:
                continue
            if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                _signal(int(folder.name), signal_number)
