"""Read an instance's user data the way cloud-init does, as far as the local cloud follows it."""

from __future__ import annotations

import base64
import gzip
import shlex
import zlib
from dataclasses import dataclass, replace
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class File:
    """A file that is there before anything else is done; `path` is absolute."""

    path: str
    data: bytes
    mode: int = 0o644
    owner: str = "root"


@dataclass(frozen=True, slots=True)
class UserData:
    """What the local cloud takes from user data; `warnings` says in words what it could not read.

    `commands` are lines of shell, run as root once after boot. `keeps_host_keys` where those of the image stay.
    """

    raw: bytes = b""
    host_key_private: str | None = None
    keeps_host_keys: bool = False
    authorized_keys: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    commands: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def boot_script(self) -> str:
        """The shell script of the boot's last stage: every command, then the marker cloud-init leaves."""
        marker = "mkdir -p /var/lib/cloud/instance && date -u > /var/lib/cloud/instance/boot-finished"
        return "\n".join(
            [*(f"( {command}\n) </dev/null" for command in self.commands), f"( {marker} ) 2>/dev/null", ""]
        )


def parse(encoded: str | None) -> UserData:
    """Read user data as the API carries it: base64, possibly of gzip, holding cloud-config or a script."""
    if not encoded:
        return UserData()
    try:
        raw = _unpacked(encoded)
    except ValueError as error:
        return UserData(warnings=(f"user data cannot be decoded: {error}",))
    text = raw.decode("utf-8", errors="replace")
    if text.startswith("#!"):
        return UserData(raw=raw, commands=(_script_command(text),))
    if text.startswith("#cloud-config"):
        return _cloud_config(raw, text)
    return UserData(raw=raw, warnings=("user data is neither #cloud-config nor a script: ignored",))


def _unpacked(encoded: str) -> bytes:
    """Raises ValueError."""
    data = base64.b64decode(encoded)
    return _unzipped(data) if data[:2] == b"\x1f\x8b" else data


def _unzipped(data: bytes) -> bytes:
    """Raises ValueError."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"broken gzip: {error}") from error


def _script_command(text: str) -> str:
    interpreter = text.splitlines()[0][2:].strip() or "/bin/sh"
    return f"{interpreter} -c {shlex.quote(text)}"


def _cloud_config(raw: bytes, text: str) -> UserData:
    empty = UserData(raw=raw)
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return replace(empty, warnings=(f"cloud-config is not valid YAML: {error}",))
    if config is None:
        return empty
    if not isinstance(config, dict):
        return replace(empty, warnings=("cloud-config is not a mapping: ignored",))
    host_keys = config.get("ssh_keys") or {}
    private = host_keys.get("ed25519_private") if isinstance(host_keys, dict) else None
    files: list[File] = []
    warnings: list[str] = []
    for entry in _list(config.get("write_files")):
        try:
            files.append(_file(entry))
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            warnings.append(f"an entry of write_files cannot be read: {error!r}")
    return replace(
        empty,
        host_key_private=str(private) if private else None,
        keeps_host_keys=config.get("ssh_deletekeys") is False,
        authorized_keys=tuple(str(key) for key in _list(config.get("ssh_authorized_keys"))),
        files=tuple(files),
        commands=tuple(_command(item) for item in _list(config.get("runcmd"))),
        warnings=tuple(warnings),
    )


def _file(entry: dict[str, Any]) -> File:
    """An entry of `write_files`; raises what its wrong shapes bring about."""
    path = entry["path"]
    if not path.startswith("/"):
        raise ValueError(f"{path} is not absolute")
    data = str(entry.get("content", "")).encode()
    encoding = str(entry.get("encoding", ""))
    if "b64" in encoding or "base64" in encoding:
        data = base64.b64decode(data)
    if "gz" in encoding:
        data = _unzipped(data)
    mode = entry.get("permissions", 0o644)
    return File(path, data, int(mode, 8) if isinstance(mode, str) else int(mode), str(entry.get("owner", "root")))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _command(item: Any) -> str:
    """A list is one command with its arguments, anything else a line of shell."""
    return shlex.join(str(word) for word in item) if isinstance(item, list) else str(item)
