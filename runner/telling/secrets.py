"""Name what an event's configuration keeps secret."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from contracts.event import EventConfig


def secrets_of(event: EventConfig) -> tuple[str, ...]:
    """Give the passwords and keys themselves, each as it may be written; none of it is empty."""
    key = event.worker.secret_access_key
    password = urlsplit(event.database_url.get_secret_value()).password
    written = (password or "", unquote(password or ""), key.get_secret_value() if key else "")
    return tuple(secret for secret in written if secret)
