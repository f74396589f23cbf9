"""Keep what full machines changed, and the images made of it, as layers in memory."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from localcloud.machines import full_layers, full_root, linux, trees
from localcloud.machines.plan import RoomPlan


@dataclass
class FullStore:
    """The layers of a room, on a tmpfs that only the keeper's mount namespace knows.

    Layers must not lie on the file system of `/` (overlayfs answers ELOOP), and a tmpfs in a private mount namespace
    is gone when the last process of the room is, whatever killed it.
    """

    plan: RoomPlan
    images: dict[str, list[str]] = field(default_factory=dict)
    layers: dict[str, list[str]] = field(default_factory=dict)
    kinds: tuple[str, ...] = ("mnt", "pid", "ipc", "uts")

    def __post_init__(self) -> None:
        if self.plan.own_network:
            self.kinds = (*self.kinds, "net")
        linux.unshare(linux.CLONE_NEWNS)
        linux.keep_mounts_private()
        place = Path(self.plan.folder, "layers")
        place.mkdir(mode=0o700, exist_ok=True)
        linux.mount("tmpfs", str(place), "tmpfs", linux.MS_NODEV, "mode=755,size=75%")
        os.chdir(place)
        for name in ("login", "images", "machines"):
            Path(name).mkdir()
        full_layers.make_base(self.plan, Path("base"))

    def prepare(self, machine: str, image: str | None, login_user: str) -> None:
        if image is None:
            self.layers[machine] = [self._login_layer(login_user)]
        else:
            self.layers[machine] = list(self.images[image])
        for name in ("upper", "work", "root"):
            Path("machines", machine, name).mkdir(parents=True)

    def root(self, machine: str) -> str:
        return f"machines/{machine}/root"

    def assemble(self, machine: str, calls: Path) -> None:
        full_root.assemble(self.plan, Path("machines", machine), [*self.layers[machine], "base"], calls)

    def snapshot(self, machine: str, image: str) -> None:
        layer = f"images/{image}"
        # this copy keeps what Python's copytree does not: overlayfs's marks for removed and replaced names among it
        trees.copy(Path("machines", machine, "upper"), Path(layer))
        self.images[image] = [layer, *self.layers[machine]]

    def forget_image(self, image: str) -> None:
        self.images.pop(image, None)
        self._sweep()

    def remove(self, machine: str) -> None:
        self.layers.pop(machine, None)
        shutil.rmtree(Path("machines", machine), ignore_errors=True)
        self._sweep()

    def close(self) -> None:
        """Nothing: the layers go with the mount namespace."""

    def _login_layer(self, login_user: str) -> str:
        layer = f"login/{login_user}"
        if not Path(layer).exists():
            full_layers.make_login(Path("base"), Path(layer), login_user)
        return layer

    def _sweep(self) -> None:
        used = {layer for chain in (*self.images.values(), *self.layers.values()) for layer in chain}
        for folder in Path("images").iterdir():
            if str(folder) not in used:
                shutil.rmtree(folder, ignore_errors=True)
