"""Find the public half of an event's key."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import KeyFileInvalid
from contracts.event import EventConfig


def public_key(event: EventConfig) -> str:
    """Read the file beside the private key: `<type> <base64>` without the comment, which may name a person.

    Raises KeyFileInvalid.
    """
    private = event.key_path
    path = private.with_name(f"{private.name}.pub")
    try:
        fields = path.read_text(encoding="ascii").split()
    except OSError as error:
        raise KeyFileInvalid(f"no public key at {path}", hint=_how_to_make(private, path)) from error
    except UnicodeDecodeError as error:
        raise KeyFileInvalid(f"{path} is not a public key", hint=_how_to_make(private, path)) from error
    if len(fields) < 2 or fields[0] not in ("ssh-ed25519", "ssh-rsa"):
        raise KeyFileInvalid(f"{path} is not an ed25519 or RSA public key", hint=_how_to_make(private, path))
    return f"{fields[0]} {fields[1]}"


def _how_to_make(private: Path, public: Path) -> str:
    if private.exists():
        return f"ssh-keygen -y -f {private} > {public}"
    return f"ssh-keygen -t ed25519 -N '' -f {private}"
