"""Keep the folders of user machines, and the images made of them, as copies on disk."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.machines import accounts, trees, user_root
from localcloud.machines.plan import RoomPlan
from localcloud.machines.visible import SSH_FOLDER, below

_WANTED = "systemd/system/multi-user.target.wants"


@dataclass
class UserStore:
    """The own folders of machines without privileges: all below the room's folder, owned by its user."""

    plan: RoomPlan
    logins: dict[str, str] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("user", "mnt", "pid", "ipc", "uts", "net")

    def __post_init__(self) -> None:
        if not self.plan.own_network:
            self.kinds = tuple(kind for kind in self.kinds if kind != "net")
        for name in ("images", "machines"):
            Path(self.plan.folder, name).mkdir(mode=0o700, exist_ok=True)

    def prepare(self, machine: str, image: str | None, login_user: str) -> None:
        folder = self._machine(machine)
        folder.mkdir(mode=0o755)
        if image is not None:
            trees.copy(self._image(image), folder / "own")
        (folder / "root").mkdir()
        for name in user_root.OWN_FOLDERS:
            (folder / "own" / name).mkdir(parents=True, exist_ok=True)
        etc = folder / "own" / "etc"
        known = etc / "passwd"
        if not known.exists() or f"\n{login_user}:" not in known.read_text():
            source = etc if known.exists() else Path("/etc")
            for name, text in accounts.with_login_user(source, login_user).items():
                (etc / name).write_text(text)
                (etc / name).chmod(accounts.MODES[name])
        (folder / "own" / "home" / login_user).mkdir(exist_ok=True)
        if image is None:
            self._hide_host_keys(etc)
            # what shines through belongs to root of the machine around, and takes no unit
            (etc / _WANTED).mkdir(parents=True)

    def _hide_host_keys(self, etc: Path) -> None:
        """Hide those of the machine around it by overlayfs's sign for "removed": in their place come its own."""
        (etc / "ssh").mkdir(mode=0o755)
        for name in self.plan.hidden_files:
            if below(name, (SSH_FOLDER,)):
                os.mknod(etc / "ssh" / Path(name).name, stat.S_IFCHR, os.makedev(0, 0))

    def root(self, machine: str) -> str:
        return str(self._machine(machine) / "root")

    def assemble(self, machine: str, calls: Path) -> None:
        user_root.assemble(self.plan, self._machine(machine), calls)

    def snapshot(self, machine: str, image: str) -> None:
        trees.copy(self._machine(machine) / "own", self._image(image))

    def forget_image(self, image: str) -> None:
        trees.remove(self._image(image))

    def remove(self, machine: str) -> None:
        trees.remove(self._machine(machine))

    def close(self) -> None:
        for name in ("images", "machines"):
            trees.remove(Path(self.plan.folder, name))

    def _machine(self, machine: str) -> Path:
        return Path(self.plan.folder, "machines", machine)

    def _image(self, image: str) -> Path:
        return Path(self.plan.folder, "images", image)
