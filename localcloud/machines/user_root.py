"""Mount the root folder of a user machine: this one, read-only, with folders of its own in it."""

from __future__ import annotations

import os
from pathlib import Path

from localcloud.machines import full_root, linux, trees
from localcloud.machines.plan import RoomPlan
from localcloud.machines.visible import SSH_FOLDER, below

# own folder -> what of the system shines through it; None: nothing does
OWN_FOLDERS: dict[str, str | None] = {
    "home": None,
    "opt": None,
    "etc": "/etc",
    "local": "/usr/local",
    "state": "/var/lib",
}
_PLACES = {"home": "/home", "opt": "/opt", "etc": "/etc", "local": "/usr/local", "state": "/var/lib"}


def assemble(plan: RoomPlan, machine: Path, calls: Path) -> None:
    """Mount everything at `machine`/root, to be called in user, mount and PID namespaces of its own."""
    root = str(machine / "root")
    os.chdir(machine)  # overlayfs takes relative paths: no character of an absolute one is taken for a separator
    linux.bind("/", root, read_only=True, recursive=True)
    for name, below_it in OWN_FOLDERS.items():
        place = root + _PLACES[name]
        if not Path(place).is_dir():
            continue
        if below_it is None:
            linux.bind(f"own/{name}", place)
        else:
            lower = f"../../stand-ins:{below_it}" if name == "local" else below_it
            work = machine / "work" / name
            trees.remove(work)  # a volatile mount leaves a mark there that refuses the next one
            work.mkdir(parents=True)
            # volatile: without it every end of a machine waits for the disk, for files nobody needs after a power cut
            options = f"lowerdir={lower},upperdir=own/{name},workdir=work/{name},userxattr,volatile"
            linux.mount("overlay", place, "overlay", 0, options)
    full_root.mount_proc(root)
    full_root.mount_devices(root)
    full_root.share_memory_folders(root, plan.memory_bytes)
    _hide(plan, root)
    for folder in plan.shown:
        Path(root + folder).mkdir(parents=True, exist_ok=True)
        linux.bind(folder, root + folder, read_only=True, recursive=True)
    full_root.share_calls(root, calls)


def _hide(plan: RoomPlan, root: str) -> None:
    for folder in plan.hidden:
        if not below(folder, ("/home", "/opt", "/tmp", "/run")) and Path(root + folder).is_dir():  # noqa: S108 - the root hides them already
            linux.mount("tmpfs", root + folder, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755,size=1m")
    for name in plan.hidden_files:
        if not below(name, (SSH_FOLDER,)) and Path(root + name).is_file():
            linux.bind("/dev/null", root + name)
