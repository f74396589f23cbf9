"""Spell a secret as it may be found in a text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 6
"""Shorter secrets are words of every text: in their place nothing could be read any more."""


def forms_of(secret: str) -> set[str]:
    """Give the secret as it is, escaped, quoted for URLs, in hex and in base64; none where it is too short."""
    if len(secret) < SHORTEST:
        return set()
    forms = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    data = secret.encode("utf-8", "surrogatepass")  # the environment gives bytes that are no text as surrogates
    for quoted in (quote(data, safe=""), quote(data), quote_plus(data)):
        forms |= {quoted, _lower_escapes(quoted)}
    forms |= {data.hex(), data.hex().upper()}
    forms.update(_in_base64(data))
    return forms


def _in_base64(data: bytes) -> Iterator[str]:
    """Give the letters that stand for `data` alone, wherever in a longer run of bytes it begins."""
    for before in range(3):
        run = bytes(before) + data
        letters = slice(-(-before * 8 // 6), len(run) * 8 // 6)
        yield base64.b64encode(run).decode("ascii")[letters]
        yield base64.urlsafe_b64encode(run).decode("ascii")[letters]


def _lower_escapes(quoted: str) -> str:
    first, *escaped = quoted.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in escaped)])
