"""Start a service's main process as systemd does: its account, folders, variables and rights."""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from localcloud.machines.units import places
from localcloud.machines.units.unit_file import Service

_PR_SET_NO_NEW_PRIVS = 38
_LOGIN_UID = 1000
_SUDOERS = Path("/etc/sudoers.d")
_OWNER = (0,)  # of the files there
_MAY_ALL = re.compile(r"^\s*(\S+)\s+ALL\s*=\s*\(\s*ALL(?:\s*:\s*ALL)?\s*\)\s*NOPASSWD\s*:\s*ALL\s*$", re.MULTILINE)
# how systemd itself ends a process that it could not make the service's
_EXIT_CHDIR, _EXIT_EXEC, _EXIT_GROUP, _EXIT_USER, _EXIT_STATE = 200, 203, 216, 217, 238


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom a process belongs to; numbers None: it stays who it is."""

    home: str
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] = ()


def start(unit: Service, level: str, log: int) -> int:
    """Fork, and become the service in the child; gives its process id. What goes wrong there is said in the log."""
    pid = os.fork()
    if pid == 0:
        _become(unit, level, log)
    return pid


def _become(unit: Service, level: str, log: int) -> NoReturn:
    step, code = "its account", _EXIT_USER
    try:
        os.setsid()
        os.umask(0o022)
        nothing = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        account = _account(unit, level)
        step, code = "StateDirectory", _EXIT_STATE
        for name in unit.state_folders:
            _make_state_folder(Path("/var/lib", name), unit.state_mode, account)
        step, code = "its groups", _EXIT_GROUP
        if account.uid is not None and account.gid is not None:
            os.setgroups(account.groups)
            os.setresgid(account.gid, account.gid, account.gid)
            os.setresuid(account.uid, account.uid, account.uid)
        if unit.no_new_privileges:
            ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), 0, 0, 0)
        step, code = "WorkingDirectory", _EXIT_CHDIR
        os.chdir(unit.folder or "/")
        step, code = "ExecStart", _EXIT_EXEC
        command = (*_as_somebody(unit, level), *unit.command)
        os.execvpe(command[0], command, _environment(unit, account))  # noqa: S606 - a service is no shell's
    except BaseException as error:
        os.write(2, f"units: {step}: {error}\n".encode())
    finally:
        os._exit(code)


def _account(unit: Service, level: str) -> _Account:
    """Raises KeyError for an account or group that is not there."""
    if level != "full":  # no users: root and the login user are one and the same outside
        known = [entry for entry in pwd.getpwall() if entry.pw_name == unit.user]
        return _Account(known[0].pw_dir if known else "/")
    entry = pwd.getpwnam(unit.user)
    gid = grp.getgrnam(unit.group).gr_gid if unit.group else entry.pw_gid
    groups = os.getgrouplist(unit.user, gid)
    if unit.user in may_become_root(_SUDOERS):
        groups.append((places.TOOLS / "as-root").stat().st_gid)  # who is in that group may use the stand-in of sudo
    return _Account(entry.pw_dir, entry.pw_uid, gid, tuple(groups))


def may_become_root(folder: Path) -> set[str]:
    """Who may run everything as root without a password, of the files that sudo would read."""
    found: set[str] = set()
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else ():
        told = path.stat()
        if "." in path.name or path.name.endswith("~") or told.st_uid not in _OWNER or told.st_mode & 0o022:
            continue
        found.update(_MAY_ALL.findall(path.read_text()))
    return found


def _make_state_folder(folder: Path, mode: int, account: _Account) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if account.uid is not None and account.gid is not None:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(mode)


def _as_somebody(unit: Service, level: str) -> tuple[str, ...]:
    """The way to be no root where there are no users: the login user's, as over SSH."""
    if level == "full" or unit.user == "root":
        return ()
    return ("unshare", "--user", f"--map-user={_LOGIN_UID}", f"--map-group={_LOGIN_UID}", "--")


def _environment(unit: Service, account: _Account) -> dict[str, str]:
    kept = {
        name: value for name in ("PATH", "LANG", "RAMPART_MACHINE", "TAR_OPTIONS") if (value := os.environ.get(name))
    }
    who = {"HOME": account.home, "USER": unit.user, "LOGNAME": unit.user, "SHELL": "/bin/sh"}
    return {**kept, **who, **dict(unit.environment)}
