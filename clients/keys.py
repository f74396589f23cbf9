"""Make the ed25519 keys SSH needs, or check the file of an existing one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from contracts.errors import KeyFileInvalid

_MAX_KEY_FILE_BYTES = 64 * 1024
_PKCS8 = b"-----BEGIN PRIVATE KEY-----"


def new_host_key() -> tuple[str, str]:
    """Make a fresh key pair in memory: the private half in OpenSSH's format, the public half as one line."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode("ascii"), public.decode("ascii")


def new_key_file(path: Path) -> str:
    """Write a fresh private key to `path` (mode 0600) with its public half beside it as `.pub`; give the public line.

    Raises FileExistsError rather than replace a key.
    """
    private, public = new_host_key()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_new(path, private, 0o600)
    _write_new(path.with_name(path.name + ".pub"), public + "\n", 0o644)
    return public


def check_key_file(path: Path) -> None:
    """Refuse a private key file SSH would not, or should not, use; raises KeyFileInvalid."""
    data = _read_private(path)
    if data.startswith(_PKCS8):
        hint = f"convert it: ssh-keygen -p -m PEM -f {path}"
        raise KeyFileInvalid(f"the key file {path} is in PKCS#8, which SSH does not read", hint=hint)
    load = (
        serialization.load_ssh_private_key
        if data.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----")
        else serialization.load_pem_private_key
    )
    try:
        load(data, None)
    except TypeError as error:
        hint = "use a key of the event's own, without a passphrase: ssh-keygen -t ed25519 -N '' -f FILE"
        raise KeyFileInvalid(f"the key file {path} has a passphrase", hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "it must be a private key as ssh-keygen writes it: ssh-keygen -t ed25519 -N '' -f FILE"
        raise KeyFileInvalid(f"the key file {path} holds no private key", hint=hint) from error


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyFileInvalid(f"the key file {path} is not a file", hint="name the private key itself")
            if status.st_mode & 0o077:
                raise KeyFileInvalid(f"the key file {path} can be read by others", hint=f"chmod 600 {path}")
            return file.read(_MAX_KEY_FILE_BYTES)
    except FileNotFoundError as error:
        raise KeyFileInvalid(
            f"there is no key file {path}", hint="worker.key_path names it; without that key, invoke up makes one"
        ) from error
    except OSError as error:
        message = f"the key file {path} cannot be read: {error.strerror}"
        raise KeyFileInvalid(message, hint="look at worker.key_path") from error


def _write_new(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
