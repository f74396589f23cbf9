"""Hold machines that a keeper process keeps: the levels full and user, seen from the cloud."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.errors import AskedWrongly, CommandFailed, HostGone, RampartError
from localcloud.machines import adoption, own_units, stand_in_files, trees
from localcloud.machines.level import Level
from localcloud.machines.machine import NO_ENVIRONMENT, Calls, Spawn
from localcloud.machines.plan import LOGIN_UID, SEARCH_PATH, RoomPlan

_MESSAGE_BYTES = 1 << 16
_FILE_BYTES = 1 << 36
_SHORT_S = 60
_HOLD_PATIENCE_S = 30.0
_HOLD_PAUSE_S = 0.02
_OPTION = {"mnt": "mount"}  # nsenter's name of a namespace where it is not the kernel's
# what root may do inside: all that installing software takes, nothing that reaches the kernel or another machine
_CAPABILITIES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("net_bind_service", "net_raw", "sys_chroot", "audit_write", "setfcap", "sys_nice", "sys_resource"),
)
# who shares this machine's network may use it, not listen to others' traffic in it or take their ports
_NOT_IN_A_SHARED_NETWORK = ("net_bind_service", "net_raw")
# run from the folder of packages: their __init__ files import what the keeper does not need
_KEEPER = """
import sys, types
root, fd = sys.argv[1:]
for name in ("localcloud", "localcloud.machines"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [root + "/" + name.replace(".", "/")]
from localcloud.machines import keeper
keeper.main(int(fd))
"""
_ENTER_GROUPS = 'for g in $1; do echo 0 >"$g/cgroup.procs" || exit 126; done; shift; exec "$@"'
_WRITE = """
set -e
folder=$(dirname "$1") new= above=$(dirname "$1")
while [ ! -d "$above" ]; do new=$above above=$(dirname "$above"); done
mkdir -p "$folder"
[ -z "$new" ] || chown -R "$3:" "$new"
temporary=$(mktemp "$1.XXXXXX")
cat >"$temporary"
chmod "$2" "$temporary"
chown "$3:" "$temporary"
mv -f "$temporary" "$1"
"""

_ADD_USER = (
    'id -u "$1" >/dev/null 2>&1 || useradd -m -s /bin/bash -G "$(stat -c %G /usr/local/lib/rampart/as-root)" "$1"'
)


class KeeperProcess:
    """The keeper and the one conversation with it: a request, its answer, and news in between."""

    def __init__(self, plan: RoomPlan, held: int, on_news: Callable[[dict[str, Any]], None]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self._on_news = on_news
        self._one_at_a_time = threading.Lock()
        self._answers: list[tuple[dict[str, Any], list[int]]] = []
        self._answered = threading.Condition()
        self._gone = False
        root = str(Path(__file__).parents[2])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _KEEPER, root, str(theirs.fileno())],
                pass_fds=[theirs.fileno(), held],  # the hold on the folder lasts as long as either of us
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={"PATH": SEARCH_PATH},
                start_new_session=True,
            )
        self._socket.send(plan.to_json().encode())
        self._listener = threading.Thread(target=self._listen, name="machine-room", daemon=True)
        self._listener.start()
        try:
            self._next_answer()
        except BaseException:
            self.close()
            raise

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Return the answer; raises RampartError with the keeper's reason."""
        return self._ask(verb, arguments)[0]

    def ask_for_socket(self, verb: str, **arguments: Any) -> socket.socket:
        """Return the descriptor that came with the answer."""
        return socket.socket(fileno=self._ask(verb, arguments)[1][0])

    def close(self) -> None:
        """Hang up and wait: the keeper ends every machine first."""
        with contextlib.suppress(OSError):  # it may have ended before us
            self._socket.shutdown(socket.SHUT_WR)
        self._process.wait()
        self._listener.join()
        self._socket.close()

    def _ask(self, verb: str, arguments: dict[str, Any]) -> tuple[Any, list[int]]:
        with self._one_at_a_time:
            try:
                self._socket.send(json.dumps({"do": verb, **arguments}).encode())
            except OSError as error:
                raise HostGone("the keeper of the machines has ended", hint="start the local cloud again") from error
            return self._next_answer()

    def _next_answer(self) -> tuple[Any, list[int]]:
        with self._answered:
            self._answered.wait_for(lambda: self._answers or self._gone)
            if not self._answers:
                raise HostGone("the keeper of the machines has ended", hint="start the local cloud again")
            message, fds = self._answers.pop(0)
        if "failed" in message:
            raise RampartError(f"the emulated machine could not do it: {message['failed']}")
        return message["answer"], fds

    def _listen(self) -> None:
        while True:
            try:
                raw, fds, _, _ = socket.recv_fds(self._socket, _MESSAGE_BYTES, 1)
            except OSError:
                raw, fds = b"", []
            if not raw:
                break
            message = json.loads(raw)
            if "event" in message:
                self._on_news(message)
                continue
            with self._answered:
                self._answers.append((message, list(fds)))
                self._answered.notify_all()
        with self._answered:
            self._gone = True
            self._answered.notify_all()


class KeptMachine:
    """A machine with namespaces of its own."""

    def __init__(
        self, plan: RoomPlan, keeper: KeeperProcess, instance_id: str, login_user: str, on_destroy: Callable[[], None]
    ) -> None:
        self.instance_id = instance_id
        self.login_user = login_user
        self.home = f"/home/{login_user}"
        self.has_own_system = True
        self._plan = plan
        self._keeper = keeper
        self._on_destroy = on_destroy
        self._where: dict[str, Any] | None = None

    def moved(self, where: dict[str, Any] | None) -> None:
        """Take note of the namespaces the machine runs in now; None when it runs no more."""
        self._where = where
        if where is not None and own_units.are_enabled(where["first"]):
            self.manage_units(is_boot=True)

    def spawn(self, argv: Sequence[str], *, user: str, env: Mapping[str, str] = NO_ENVIRONMENT) -> Spawn:
        return self._spawn(argv, user, env, shares_network=False)

    def manage_units(self, *, is_boot: bool) -> None:
        """Let the machine's own units be managed until it stops, in this machine's network; twice is fine.

        Services reach each other from machine to machine, which a network of loopback alone does not let them.
        """
        if self._plan.python:
            command = own_units.manager(self._plan, is_boot=is_boot)
            own_units.run(self._spawn(command, "root", NO_ENVIRONMENT, shares_network=True))

    def manage_units_as_asked(self) -> None:
        """Do what the machine asked for; it may have been stopped meanwhile."""
        with contextlib.suppress(HostGone):
            self.manage_units(is_boot=False)

    def _spawn(self, argv: Sequence[str], user: str, env: Mapping[str, str], *, shares_network: bool) -> Spawn:
        where = self._where
        if where is None:
            raise HostGone(f"{self.instance_id} is not running", hint="start it, or launch another")
        namespaces = (
            f"--{_OPTION.get(kind, kind)}={path}"
            for kind, path in where["namespaces"].items()
            if kind != "net" or not shares_network
        )
        enter = ("nsenter", "--preserve-credentials", *namespaces)
        become = self._become(user, _NOT_IN_A_SHARED_NETWORK if shares_network else ())
        inside = {**self._login_environment(user), **env}
        pairs = (f"{name}={value}" for name, value in inside.items())
        groups = " ".join(where["cgroups"])
        command = (
            *("/bin/sh", "-c", _ENTER_GROUPS, "sh", groups),
            *("prlimit", *self._limits(bool(groups)), "--"),
            *(*enter, "--"),
            *become,
            *("env", "-i", f"--chdir={inside['HOME']}", *pairs, *argv),
        )
        return Spawn(command, {"PATH": SEARCH_PATH}, "/")

    def document_parameters(self) -> dict[str, str]:
        return {}

    def write_file(self, path: str, data: bytes, *, mode: int, owner: str) -> None:
        owner = owner if self._plan.level == Level.FULL else "root"
        self.run_as_root(["sh", "-c", _WRITE, "sh", path, f"{mode:o}", owner], f"write {path}", data)

    def run_as_root(self, argv: Sequence[str], purpose: str, data: bytes = b"") -> None:
        """Run a short command inside; raises CommandFailed with its last words."""
        spawn = self.spawn(argv, user="root")
        done = subprocess.run(
            spawn.argv, env=spawn.env, cwd=spawn.cwd, input=data, capture_output=True, timeout=_SHORT_S, check=False
        )
        if done.returncode != 0:
            tail = done.stderr.decode(errors="replace")[-500:]
            raise CommandFailed(
                f"could not {purpose} on {self.instance_id}: {tail.strip()}",
                exit_code=done.returncode,
                output_tail=tail,
                hint="at the level user only /home, /opt, /etc, /usr/local, /var/lib, /run and /tmp can be written",
            )

    def recorded_calls(self) -> list[list[str]]:
        return stand_in_files.recorded(Path(self._plan.folder, "calls", self.instance_id))

    def listen_inside(self, address: tuple[str, int]) -> socket.socket | None:
        if not self._plan.own_network:
            return None
        return self._keeper.ask_for_socket("listen", machine=self.instance_id, host=address[0], port=address[1])

    def freeze(self) -> None:
        self._keeper.ask("freeze", machine=self.instance_id)

    def thaw(self) -> None:
        self._keeper.ask("thaw", machine=self.instance_id)

    def stop(self) -> None:
        self._where = None
        self._keeper.ask("stop", machine=self.instance_id)

    def start(self) -> None:
        self.moved(self._keeper.ask("start", machine=self.instance_id))

    def start_again(self) -> None:
        """Start after a reboot that nobody else follows; the machine may have been destroyed meanwhile."""
        with contextlib.suppress(RampartError):
            self.start()

    def destroy(self) -> None:
        self._where = None
        self._keeper.ask("destroy", machine=self.instance_id)
        self._on_destroy()

    def _become(self, user: str, without: Sequence[str]) -> Sequence[str]:
        bounds = ",".join(("-all", *(f"+{name}" for name in _CAPABILITIES if name not in without)))
        bounded = ("--bounding-set", bounds, "--inh-caps", "-all", "--")
        if self._plan.level == Level.FULL:
            return ("setpriv", "--reuid", user, "--regid", user, "--init-groups", *bounded)
        if user == "root":
            return ("setpriv", *bounded)
        return ("unshare", "--user", f"--map-user={LOGIN_UID}", f"--map-group={LOGIN_UID}", "--")

    def _login_environment(self, user: str) -> dict[str, str]:
        home = "/root" if user == "root" else f"/home/{user}"
        found = {"HOME": home, "USER": user, "LOGNAME": user, "SHELL": "/bin/bash", "LANG": "C.UTF-8"}
        if self._plan.level != Level.FULL:
            found["TAR_OPTIONS"] = "--no-same-owner"  # root has one user id here and cannot give files away
        return {**found, "PATH": SEARCH_PATH, "RAMPART_MACHINE": self.instance_id}

    def _limits(self, bounded_by_groups: bool) -> list[str]:
        limits = ["--core=0", f"--fsize={_FILE_BYTES}"]
        if not bounded_by_groups:
            limits += ["--nproc=4096", f"--data={self._plan.memory_bytes}"]
        return limits


class KeptRoom:
    """The machines of one keeper."""

    def __init__(self, plan: RoomPlan) -> None:
        self._plan = plan
        self._machines: dict[str, tuple[KeptMachine, Calls]] = {}
        self._logins: dict[str, str] = {}  # image -> the login user it was made for
        folder = Path(plan.folder)
        self._held = _hold(folder)
        self._clear()  # what a killed owner left
        (folder / "calls").mkdir(exist_ok=True)
        if plan.level == Level.USER:
            tools = folder / "stand-ins" / "lib" / "rampart"
            links = folder / "stand-ins" / "bin"
            for made in (tools, links):
                made.mkdir(parents=True, exist_ok=True)
            stand_in_files.install(tools, links, plan)
        adoption.begin()
        try:
            self._keeper = KeeperProcess(plan, self._held, self._heard)
        except BaseException:
            adoption.end()
            os.close(self._held)
            raise

    def create(
        self, instance_id: str, image_id: str | None, login_user: str, calls: Calls, address: str
    ) -> KeptMachine:
        machine = KeptMachine(self._plan, self._keeper, instance_id, login_user, lambda: self._forget(instance_id))
        self._machines[instance_id] = (machine, calls)
        try:
            machine.moved(
                self._keeper.ask("create", machine=instance_id, image=image_id, login_user=login_user, address=address)
            )
            self._give_login(machine, image_id)
        except BaseException:
            self._forget(instance_id)
            raise
        return machine

    def _give_login(self, machine: KeptMachine, image_id: str | None) -> None:
        """Make the login user in a machine whose image was made for another one; user machines have it already."""
        made_for = self._logins.get(image_id or "", machine.login_user)
        if made_for != machine.login_user and self._plan.level == Level.FULL:
            machine.run_as_root(["sh", "-c", _ADD_USER, "sh", machine.login_user], f"make {machine.login_user}")

    def snapshot(self, instance_id: str, image_id: str) -> None:
        self._keeper.ask("snapshot", machine=instance_id, image=image_id)
        self._logins[image_id] = self._machines[instance_id][0].login_user

    def forget_image(self, image_id: str) -> None:
        self._keeper.ask("forget_image", image=image_id)

    def close(self) -> None:
        self._keeper.close()
        adoption.end()
        self._clear()
        os.close(self._held)

    def _clear(self) -> None:
        for name in ("calls", "stand-ins", "layers", "images", "machines"):
            trees.remove(Path(self._plan.folder, name))

    def _forget(self, instance_id: str) -> None:
        self._machines.pop(instance_id, None)

    def _heard(self, news: dict[str, Any]) -> None:
        known = self._machines.get(news["machine"])
        if known is None:
            return
        machine, calls = known
        called: Callable[[], None] | None
        if news["event"] == "reloads":
            called = calls.on_reload
        elif news["event"] == "units":
            called = machine.manage_units_as_asked
        else:
            machine.moved(None)
            called = (calls.on_reboot or machine.start_again) if news["event"] == "reboots" else calls.on_shutdown
        if called is not None:
            # who is called may ask us to start or destroy the machine, whose answer this thread must hear
            threading.Thread(target=called, name=f"{news['event']}-{machine.instance_id}", daemon=True).start()


def _hold(folder: Path) -> int:
    """Hold a folder alone; gives the descriptor that does. The keeper of a killed owner lets go when it has ended."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    until = time.monotonic() + _HOLD_PATIENCE_S
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < until:
                time.sleep(_HOLD_PAUSE_S)
                continue
            os.close(held)
            raise AskedWrongly(f"another process keeps machines in {folder}", hint="give each its own") from error
        return held
