"""Write the account files of a machine: the system's own users, nobody's person, one login user."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from localcloud.machines.plan import LOGIN_UID

MODES = {"passwd": 0o644, "group": 0o644, "shadow": 0o600, "gshadow": 0o600, "subuid": 0o644, "subgid": 0o644}
_PEOPLE = range(1000, 60_000)
_ADMIN_GROUPS = ("sudo", "wheel", "admin")


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the system by name and number."""

    name: str
    gid: int


def admin_group(group_file: Path) -> Group:
    """Return the group whose members may use sudo, as this system calls it."""
    known = {fields[0]: int(fields[2]) for fields in _entries(group_file)}
    for name in _ADMIN_GROUPS:
        if name in known:
            return Group(name, known[name])
    return Group("sudo", 27 if 27 not in known.values() else 427)


def with_login_user(etc: Path, login_user: str) -> dict[str, str]:
    """Return the text of each account file in `etc` with `login_user` instead of the people found there.

    Passwords are dropped: nobody can log in with one, as on an instance.
    """
    users = [e for e in _entries(etc / "passwd") if int(e[2]) not in _PEOPLE and e[0] != login_user]
    dropped = {e[0] for e in _entries(etc / "passwd")} - {e[0] for e in users}
    groups = [e for e in _entries(etc / "group") if int(e[2]) not in _PEOPLE and e[0] != login_user]
    admin = admin_group(etc / "group")
    if admin.name not in {e[0] for e in groups}:
        groups.append([admin.name, "x", str(admin.gid), ""])
    for entry in groups:
        members = [m for m in entry[3].split(",") if m and m not in dropped]
        entry[3] = ",".join([*members, login_user] if entry[0] == admin.name else members)
    users.append([login_user, "x", str(LOGIN_UID), str(LOGIN_UID), login_user, f"/home/{login_user}", "/bin/bash"])
    groups.append([login_user, "x", str(LOGIN_UID), ""])
    return {
        "passwd": _text(users),
        "group": _text(groups),
        "shadow": _text([[e[0], "*", "19000", "0", "99999", "7", "", "", ""] for e in users]),
        "gshadow": _text([[e[0], "*", "", e[3]] for e in groups]),
        "subuid": "",
        "subgid": "",
    }


def _entries(path: Path) -> list[list[str]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.split(":") for line in lines if line.count(":") >= 3 and not line.startswith(("#", "+", "-"))]


def _text(entries: list[list[str]]) -> str:
    return "".join(":".join(entry) + "\n" for entry in entries)
