"""Install the stand-ins of a level: one script, and a link to it for every tool it stands in for."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from localcloud.machines import own_units
from localcloud.machines.level import Level
from localcloud.machines.plan import ADDRESS_INSIDE, AS_ROOT_INSIDE, CALLS_INSIDE, SEARCH_PATH, TOOLS_INSIDE, RoomPlan

# no service manager runs in a machine, and the machine around it must never be switched off
_ALWAYS = (
    *("systemctl", "service", "shutdown", "poweroff", "halt", "reboot", "sudo", "snap", "cloud-init"),
    *("hostnamectl", "timedatectl", "loginctl", "journalctl", "telinit", "init", "hostname"),
)
_PACKAGES = ("apt-get", "apt", "aptitude", "yum", "dnf", "add-apt-repository")
_NEED_ROOT = (
    *("useradd", "adduser", "usermod", "userdel", "deluser", "groupadd", "addgroup", "groupmod", "groupdel"),
    *("passwd", "chpasswd", "gpasswd", "chown", "chgrp", "install", "dpkg", "modprobe"),
    *("sysctl", "swapon", "swapoff", "mkswap", "ufw", "iptables", "update-initramfs", "ldconfig", "apt-key"),
    *("dpkg-reconfigure", "locale-gen", "update-locale", "visudo", "chroot", "mknod", "setcap"),
)


def names(level: str, *, real_packages: bool) -> tuple[str, ...]:
    """Return the tools that are stood in for."""
    if level == Level.FULL:
        return _ALWAYS if real_packages else (*_ALWAYS, *_PACKAGES)
    own_files = ("ssh-keygen",) if level == Level.PLAIN else ()
    return (*_ALWAYS, *_PACKAGES, *_NEED_ROOT, *own_files)


def install(tools: Path, links: Path, plan: RoomPlan) -> None:
    """Write the script for machines with a root folder of their own into `tools`, links into `links`."""
    settings = {
        "CALLS": CALLS_INSIDE,
        "LEVEL": plan.level,
        "WAITING": "/run/rampart-shutdown",
        "AS_ROOT": AS_ROOT_INSIDE,
        "HOMES": "/home",
        "SEARCH_PATH": SEARCH_PATH,
        "ADDRESS": ADDRESS_INSIDE,
        "TOOLS": TOOLS_INSIDE,
        "PYTHON": plan.python,
    }
    own_units.install(tools)
    write(tools, links, settings, plan.stand_ins)


def write(tools: Path, links: Path, settings: Mapping[str, str], tool_names: tuple[str, ...]) -> None:
    """Write the script with its settings into `tools`, and a relative link per tool into `links`."""
    text = (Path(__file__).parent / "stand_ins" / "stand_in.sh").read_text()
    lines = "\n".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
    script = tools / "stand-in"
    script.write_text(text.replace("#SETTINGS#", lines))
    script.chmod(0o755)
    for name in tool_names:
        link = links / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(script, links))


def recorded(calls: Path) -> list[list[str]]:
    """Read the calls back: each is its number of words, then the words, all ended by a NUL."""
    if not calls.exists():
        return []
    words = calls.read_bytes().decode(errors="replace").split("\0")[:-1]
    found = []
    while words and words[0].isdigit():
        count = int(words[0])
        found.append(words[1 : 1 + count])
        words = words[1 + count :]
    return found
