"""Hold machines that are a folder and an environment: the level for systems without namespaces."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import CommandFailed, HostGone
from localcloud.machines import plain_processes, stand_in_files, trees
from localcloud.machines.machine import NO_ENVIRONMENT, Calls, Spawn
from localcloud.machines.plan import RoomPlan

_FILE_BLOCKS = 1 << 27  # of 512 bytes: 64 GiB
_LIMIT = 'ulimit -c 0; ulimit -f "$1" 2>/dev/null; ulimit -d "$2" 2>/dev/null; shift 2; exec "$@"'
# a login shell forgets PATH before it reads this file
_PROFILE = "PATH={folder}/bin:$PATH\nexport PATH\n[ ! -f ~/.bashrc ] || . ~/.bashrc\n"


@dataclass(frozen=True, slots=True)
class _Image:
    """A copy of what a machine owned, and the machine's folder it was copied from."""

    own: Path
    made_at: str


class PlainMachine:
    """A machine without walls: its commands are ordinary processes with another HOME."""

    def __init__(self, plan: RoomPlan, instance_id: str, login_user: str, folder: Path) -> None:
        self.instance_id = instance_id
        self.login_user = login_user
        self.folder = folder
        self.own = folder / "own"
        self.home = str(self.own / "home")
        self.on_destroy: Callable[[], None] = lambda: None
        self.has_own_system = False
        self._plan = plan
        self._runs = True

    def spawn(self, argv: Sequence[str], *, user: str, env: Mapping[str, str] = NO_ENVIRONMENT) -> Spawn:
        if not self._runs:
            raise HostGone(f"{self.instance_id} is not running", hint="start it, or launch another")
        inside = {
            "HOME": self.home,
            "USER": user,
            "LOGNAME": user,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "RAMPART_MACHINE": self.instance_id,
            **env,
            plain_processes.MARKER: str(self.folder),
        }
        command = ("/bin/sh", "-c", _LIMIT, "sh", str(_FILE_BLOCKS), str(self._plan.memory_bytes // 1024), *argv)
        return Spawn(command, inside, self.home)

    def document_parameters(self) -> dict[str, str]:
        return {"Home": self.home, "Prefix": str(self.own / "prefix"), "Etc": str(self.own / "etc")}

    def write_file(self, path: str, data: bytes, *, mode: int, owner: str) -> None:
        del owner  # everything belongs to who runs the cloud
        place = self._place(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            beside = place.with_name(place.name + ".new")
            beside.write_bytes(data)
            beside.chmod(mode)
            beside.replace(place)
        except OSError as error:
            raise CommandFailed(f"could not write {path} on {self.instance_id}: {error}", exit_code=1) from error

    def recorded_calls(self) -> list[list[str]]:
        return stand_in_files.recorded(self.folder / "calls")

    def listen_inside(self, address: tuple[str, int]) -> socket.socket | None:
        del address
        return None  # the network is the one of the machine around it

    def freeze(self) -> None:
        plain_processes.stop_all(self.folder)

    def thaw(self) -> None:
        plain_processes.continue_all(self.folder)

    def stop(self) -> None:
        self._runs = False
        plain_processes.end_all(self.folder)
        (self.folder / "waiting").unlink(missing_ok=True)  # its process number may be another's by now

    def start(self) -> None:
        self._runs = True

    def destroy(self) -> None:
        self.stop()
        trees.remove(self.folder)
        self.on_destroy()

    def _place(self, path: str) -> Path:
        """Where a path of a real machine is kept: what lies elsewhere is kept too, but not seen at that path."""
        for start, here in ((f"/home/{self.login_user}", "home"), ("/opt/rampart", "prefix")):
            if path == start or path.startswith(start + "/"):
                return self.own / here / path[len(start) :].lstrip("/")
        given = Path(os.path.normpath(path))
        return given if given.is_relative_to(self.own) else self.own / "root" / str(given).lstrip("/")


class PlainRoom:
    """The plain machines of one folder, and the one thread that hears their shutdowns."""

    def __init__(self, plan: RoomPlan) -> None:
        self._plan = plan
        self._folder = Path(plan.folder)
        self._machines: dict[str, tuple[PlainMachine, Calls]] = {}
        self._images: dict[str, _Image] = {}
        self._control = self._folder / "control"
        self._clear()  # what a killed owner left
        for name in ("images", "machines"):
            (self._folder / name).mkdir(mode=0o700)
        os.mkfifo(self._control, 0o600)
        self._control_fd = os.open(self._control, os.O_RDWR | os.O_CLOEXEC)  # our own writing end: never at its end
        self._listener = threading.Thread(target=self._listen, name="machine-room", daemon=True)
        self._listener.start()

    def create(
        self, instance_id: str, image_id: str | None, login_user: str, calls: Calls, address: str
    ) -> PlainMachine:
        # names of one length, so that a path in a file can be replaced by another machine's without moving a byte
        folder = self._folder / "machines" / hashlib.sha256(instance_id.encode()).hexdigest()[:12]
        folder.mkdir(mode=0o700)
        machine = PlainMachine(self._plan, instance_id, login_user, folder)
        if image_id is not None:
            image = self._images[image_id]
            trees.copy(image.own, machine.own)
            trees.replace_path(machine.own, image.made_at, str(folder))
        for made in (machine.own / "home", machine.own / "prefix", folder / "tmp", folder / "bin", folder / "tools"):
            made.mkdir(parents=True, exist_ok=True)
        settings = {
            "CALLS": str(folder / "calls"),
            "LEVEL": self._plan.level,
            "CONTROL": str(self._control),
            "MACHINE": instance_id,
            "WAITING": str(folder / "waiting"),
            "HOMES": str(machine.own / "homes"),
            "ADDRESS": str(folder / "address"),
            "PYTHON": "",  # no units are run here
        }
        (folder / "address").write_text(address)
        stand_in_files.write(folder / "tools", folder / "bin", settings, self._plan.stand_ins)
        for name in (".profile", ".bash_profile"):
            profile = machine.own / "home" / name
            if not profile.exists():
                profile.write_text(_PROFILE.format(folder=folder))
        machine.on_destroy = lambda: self._forget(instance_id)
        self._machines[instance_id] = (machine, calls)
        return machine

    def snapshot(self, instance_id: str, image_id: str) -> None:
        machine = self._machines[instance_id][0]
        image = self._folder / "images" / image_id
        trees.copy(machine.own, image)
        self._images[image_id] = _Image(image, str(machine.folder))

    def forget_image(self, image_id: str) -> None:
        trees.remove(self._images.pop(image_id).own)

    def close(self) -> None:
        for machine, _ in list(self._machines.values()):
            machine.destroy()
        os.write(self._control_fd, b"close -\n")
        self._listener.join()
        os.close(self._control_fd)
        self._clear()

    def _clear(self) -> None:
        plain_processes.end_all(self._folder / "machines")
        self._control.unlink(missing_ok=True)
        for name in ("images", "machines"):
            trees.remove(self._folder / name)

    def _forget(self, instance_id: str) -> None:
        self._machines.pop(instance_id, None)

    def _listen(self) -> None:
        with os.fdopen(os.dup(self._control_fd), "r") as asked:
            for line in asked:
                verb, _, instance_id = line.strip().partition(" ")
                if verb == "close":
                    return
                known = self._machines.get(instance_id)
                if known is not None:
                    threading.Thread(target=self._end, args=(verb, *known), daemon=True).start()

    @staticmethod
    def _end(verb: str, machine: PlainMachine, calls: Calls) -> None:
        machine.stop()
        called = (calls.on_reboot or machine.start) if verb == "reboot" else calls.on_shutdown
        if called is not None:
            called()
