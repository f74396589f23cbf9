"""Make the read-only layers that lie between a full machine and the root folder of the machine it runs on."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from localcloud.machines import accounts, stand_in_files
from localcloud.machines.plan import AS_ROOT_INSIDE, LOGIN_UID, RoomPlan
from localcloud.machines.visible import below

_OPAQUE = "trusted.overlay.opaque"


def make_base(plan: RoomPlan, base: Path) -> None:
    """Make the layer every machine of the room has: hidden folders, places for the shown ones, stand-ins."""
    base.mkdir(mode=0o755)
    for folder in plan.hidden:
        made = _folder(base, folder)
        os.setxattr(made, _OPAQUE, b"y")
        # search permission for everybody: a shown environment may lie below
        made.chmod(0o711 if folder == "/root" else made.stat().st_mode & 0o7777 | 0o055)
    for name in plan.hidden_files:
        made = _folder(base, str(Path(name).parent)) / Path(name).name
        os.mknod(made, stat.S_IFCHR, os.makedev(0, 0))  # overlayfs's sign for "removed"
    for folder in plan.shown:
        _folder(base, folder, hidden=plan.hidden)
    _stand_ins(plan, base)


def make_login(base: Path, layer: Path, login_user: str) -> None:
    """Make the layer of a base image's login user: accounts without the people of this machine, and a home."""
    layer.mkdir(mode=0o755)
    etc = _folder(layer, "/etc")
    for name, text in accounts.with_login_user(Path("/etc"), login_user).items():
        (etc / name).write_text(text)
        (etc / name).chmod(accounts.MODES[name])
    home = _folder(layer, "/home") / login_user
    if Path("/etc/skel").is_dir():
        shutil.copytree("/etc/skel", home, symlinks=True)
    else:
        home.mkdir()
    home.chmod(0o755)
    for path in (home, *home.rglob("*")):
        os.chown(path, LOGIN_UID, LOGIN_UID, follow_symlinks=False)
    if (base / "home").exists():
        os.setxattr(layer / "home", _OPAQUE, b"y")


def _stand_ins(plan: RoomPlan, base: Path) -> None:
    tools = _folder(base, str(Path(AS_ROOT_INSIDE).parent))
    stand_in_files.install(tools, _folder(base, "/usr/local/bin"), plan)
    as_root = base / AS_ROOT_INSIDE.lstrip("/")
    shutil.copyfile(shutil.which("setpriv") or "/usr/bin/setpriv", as_root)
    os.chown(as_root, 0, accounts.admin_group(Path("/etc/group")).gid)
    as_root.chmod(0o4750)


def _folder(layer: Path, path: str, *, hidden: tuple[str, ...] = ()) -> Path:
    """Make a folder in a layer; what exists below `/` keeps its mode and owner, for the upper layer's count."""
    made = layer
    for part in Path(path).parts[1:]:
        made = made / part
        if made.is_dir():
            continue
        made.mkdir(mode=0o755)
        made.chmod(0o755)
        original = Path("/") / made.relative_to(layer)
        if original.is_dir() and not below(str(original), hidden):
            found = original.stat()
            os.chown(made, found.st_uid, found.st_gid)
            made.chmod(stat.S_IMODE(found.st_mode))
    return made
