"""Hide credentials that are known by their look.

No pattern may look at a letter more often than a bounded number of times, for the texts come from strangers: where a
repetition is not bounded, it either cannot hold what the pattern begins with, or is taken whole by a match.
"""

from __future__ import annotations

import re

from contracts.redaction.hidden import HIDDEN

_PLACEHOLDERS = frozenset({"PASSWORD", "password", "...", HIDDEN, ""})
_KEYS = "|".join(
    (
        "secret[_-]?access[_-]?key",
        "session[_-]?token",
        "security[_-]?token",
        "access[_-]?token",
        "auth[_-]?token",
        "refresh[_-]?token",
        "api[_-]?key",
        "secret[_-]?key",
        "private[_-]?key",
        "client[_-]?secret",
        "password",
        "(?<!/etc/)passwd",
        "passphrase",
        "x-amz-signature",
    )
)
_BETWEEN = r"[\"']?[ \t]{0,8}(?:=>|:=|[=:])[ \t]{0,8}"
_VALUE = r"(?:\"[^\"\n]*\"?|'[^'\n]*'?|[^\s\"',;&|(){}\[\]]+)"

_ASSIGNED = re.compile(rf"((?:{_KEYS}){_BETWEEN}){_VALUE}", re.IGNORECASE)
_TOKEN_ASSIGNED = re.compile(rf"(_token{_BETWEEN}[\"']?)[A-Za-z0-9_.~+/=-]{{16,}}", re.IGNORECASE)
_AUTHORISED = re.compile(
    rf"(authorization{_BETWEEN}[\"']?(?:basic|bearer|token|digest|negotiate|aws4-hmac-sha256)[ \t]{{1,8}})[^\n\"']+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(\bbearer[ \t]{1,8})[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)
_IN_URL = re.compile(r"(://[^\s:/@\"'<>`]*:)(?!\d{1,5}[/?#])([^\s@\"'<>`]*)(@?)")
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(?:FwoGZXIvYXdz|IQoJb3JpZ2lu)[A-Za-z0-9+/=%_-]{20,}"  # session tokens of AWS
    r"|gh[opsur]_[A-Za-z0-9]{20,}"
    r"|github_pat_[A-Za-z0-9_]{20,}"
    r"|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|xapp-[A-Za-z0-9-]{10,}"
    r"|hf_[A-Za-z0-9]{30,}"
    r"|sk-[A-Za-z0-9_-]{20,}"
    r"|pul-[a-f0-9]{40}"
    r"|pypi-[A-Za-z0-9_-]{50,}"
    r"|AIza[A-Za-z0-9_-]{35}"
    r"|(?<![_-])eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"  # JSON web tokens
    r")"
)


def hidden(text: str) -> str:
    """Give a text without them; of a URL the password alone is hidden."""
    text = _IN_URL.sub(_without_password, text)
    text = _TOKENS.sub(HIDDEN, text)
    for pattern in (_AUTHORISED, _BEARER, _ASSIGNED, _TOKEN_ASSIGNED):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def _without_password(found: re.Match[str]) -> str:
    before, password, at = found.groups()
    if not at or password in _PLACEHOLDERS:
        return found[0]
    return f"{before}{HIDDEN}{at}"
