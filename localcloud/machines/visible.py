"""Decide what of this machine a machine of ours sees: the environment, not what is the user's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

# folders of the machine we run on that hold what is its user's own, or its services'
PRIVATE_FOLDERS = (
    "/home",
    "/root",
    "/mnt",
    "/media",
    "/srv",
    "/var/tmp",  # noqa: S108 - hidden, not written to
    "/var/spool",
    "/var/mail",
    "/var/backups",
    "/var/lib/postgresql",
    "/var/lib/mysql",
    "/var/lib/docker",
    "/var/lib/containerd",
    "/etc/ssl/private",
    "/etc/sudoers.d",
    "/etc/NetworkManager/system-connections",
    "/etc/wireguard",
)
# what may lie in `/` and is the system's; every other folder there is somebody's work
SYSTEM_FOLDERS = frozenset(
    (
        *("bin", "boot", "dev", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "nix"),
        *("opt", "proc", "run", "sbin", "snap", "sys", "tmp", "usr", "var"),
    )
)
SSH_FOLDER = "/etc/ssh"
PRIVATE_FILES = ("/etc/ssh/ssh_host_*_key*", "/etc/sudoers", "/etc/machine-id", "/etc/krb5.keytab")


def environment_folders(environment: Path) -> tuple[str, ...]:
    """Return the environment's own folder, then those its interpreter needs, as resolved absolute paths."""
    found = [environment.resolve()]
    interpreter = environment / "bin" / "python"
    if interpreter.exists():
        found.append(interpreter.resolve().parent.parent)
    settings = environment / "pyvenv.cfg"
    if settings.is_file():
        for line in settings.read_text().splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "home":
                found.append(Path(value.strip()).resolve().parent)
    return _outermost(str(folder) for folder in found if folder not in (Path("/"), Path("/usr")))


def hidden_folders(masked: Sequence[Path]) -> tuple[str, ...]:
    """Return the folders to show empty: the private ones that exist here, those no system has, plus `masked`."""
    unknown = (
        folder for folder in Path("/").iterdir() if folder.name not in SYSTEM_FOLDERS and not folder.is_symlink()
    )
    return _outermost(
        str(folder.resolve()) for folder in (*map(Path, PRIVATE_FOLDERS), *unknown, *masked) if _is_folder(folder)
    )


def hidden_files() -> tuple[str, ...]:
    """Return the single files to hide that exist here."""
    return tuple(
        sorted(str(name) for pattern in PRIVATE_FILES for name in Path("/").glob(pattern.lstrip("/")) if name.is_file())
    )


def below(path: str, folders: Iterable[str]) -> bool:
    """Say whether `path` is one of `folders` or lies in one."""
    return any(path == folder or path.startswith(folder.rstrip("/") + "/") for folder in folders)


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for path in sorted(set(paths)):
        if path != "/" and not below(path, kept):
            kept.append(path)
    return tuple(kept)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except PermissionError:  # what we may not see, the machines may not either
        return False
