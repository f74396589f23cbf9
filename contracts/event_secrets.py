"""Name what an event, or the environment it is served in, keeps secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from contracts.event import EventConfig

_SECRET_NAME = re.compile(
    r"PASSW|PASSPHRASE|SECRET|TOKEN(?!IZ)|CREDENTIAL|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|DATABASE_URL", re.IGNORECASE
)
_NAMES_A_PLACE = re.compile(r"(FILE|PATH|DIR|URI|ARN|_ID)$", re.IGNORECASE)
_DATABASE_KEYS = ("password", "sslpassword")


def secrets_of(event: EventConfig, environ: Mapping[str, str]) -> frozenset[str]:
    """Give the passwords and keys themselves, each as it may be written; none of it is empty.

    Of the environment those variables count whose names say so; what an event file was filled with is among them.
    """
    found = {*_of_url(event.database_url.get_secret_value()), *_in_model(event)}
    return frozenset(found - {""}) | secrets_in(environ)


def secrets_in(environ: Mapping[str, str]) -> frozenset[str]:
    """Give what the variables hold whose names say that it is secret; none of it is empty."""
    found = set[str]()
    for name, value in environ.items():
        if is_secret_name(name) and not _NAMES_A_PLACE.search(name):
            found.update(_of_url(value) if "://" in value else (value,))
    return frozenset(found - {""})


def is_secret_name(name: str) -> bool:
    """Whether a key or variable of that name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def _in_model(model: BaseModel) -> Iterator[str]:
    """Give every value that is typed as a secret, and of keys nobody here knows those that are named like one."""
    for name, value in model:
        if name in type(model).model_fields:
            yield from _typed(value)
        else:
            yield from _named(value, is_secret=is_secret_name(name))


def _typed(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            secret = value.get_secret_value()
            if "://" not in secret:  # of a database's URL only the password is one
                yield secret
        case BaseModel():
            yield from _in_model(value)
        case list() | tuple():
            for item in value:
                yield from _typed(item)


def _named(value: Any, *, is_secret: bool) -> Iterator[str]:
    match value:
        case str() if is_secret:
            yield value
        case dict():
            for key, item in value.items():
                yield from _named(item, is_secret=is_secret or is_secret_name(str(key)))
        case list() | tuple():
            for item in value:
                yield from _named(item, is_secret=is_secret)


def _of_url(text: str) -> Iterator[str]:
    """Give the passwords in a URL, as written and as meant."""
    try:
        url = urlsplit(text)
        written = [url.password or "", *(value for key in _DATABASE_KEYS for value in parse_qs(url.query).get(key, ()))]
    except ValueError:
        return
    for password in written:
        yield from (password, unquote(password))
