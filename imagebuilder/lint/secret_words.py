"""Tell what looks like a secret: by its name, by its form, by its entropy."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Iterator

_NAMED = re.compile(
    r"passw(or)?d|passphrase|secret|token|credential|(access|api|private|account|auth)[_-]?key|pwd$", re.I
)
# a name that only says where a secret is, or whose
_POINTS = re.compile(r"(name|names|id|ids|arn|file|path|url|uri|user|length|ttl|prefix|field)$", re.I)
_KNOWN_FORMS = (
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a private key", re.compile(r"(?s)-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----(.{0,8000}?-----END )?")),
    (
        "a password within an address",
        re.compile(r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/@:'\"{}$]{0,100}:(?![$]|\{\{)[^\s/@'\"]{1,200}@", re.I),
    ),
    ("a token within an address", re.compile(r"\bhttps?://(?![$]|\{\{)[A-Za-z0-9_-]{16,255}@")),
    (
        "a token",
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|hf_[A-Za-z0-9]{20,}"
            r"|sk-[\w-]{20,}|pypi-[\w-]{20,}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,})"
        ),
    ),
)  # fmt: skip
_WORD = re.compile(r"(?<![\w+/=.-])[A-Za-z0-9+/_-]{20,}={0,2}(?![\w+/-])")
_LONGEST = 200
"""A longer word is packed content, such as an archive's."""
_IS_NO_SECRET = re.compile(
    r"[0-9a-fA-F-]+"  # a checksum, a commit, a UUID
    r"|(AAAA[BCE]\w.*)"  # a public key of SSH
    r"|sha(256|384|512)[-_/].*"
    r"|H4sI.*"  # something packed by gzip
    r"|[a-z]{1,10}-[0-9a-f]{8,17}"  # an id of EC2
)
_BEHIND_CHECKSUM = re.compile(r"(sha(256|384|512)[-:=]|MD5:|@)$", re.I)


def is_named_like_a_secret(name: str) -> bool:
    """Tell whether what has this name is a secret itself, not merely where to find one."""
    return bool(_NAMED.search(name)) and not _POINTS.search(name)


def is_literal(value: str) -> bool:
    """Tell whether a value is one that could be a secret: not empty, no reference, no variable, no path, no number."""
    return bool(value) and not re.match(r"[$`]|\{\{|\.{0,2}/|arn:|[\d.]+$|(true|false|yes|no)$", value, re.I)


def secrets(text: str) -> Iterator[tuple[int, str]]:
    """Give every secret within a text: where it begins, and what it looks like."""
    taken: list[range] = []
    for what, form in _KNOWN_FORMS:
        for found in form.finditer(text):
            taken.append(range(found.start(), found.end()))
            yield found.start(), what
    for found in _WORD.finditer(text):
        if any(found.start() < each.stop and each.start < found.end() for each in taken):
            continue
        if looks_random(found[0]) and not _BEHIND_CHECKSUM.search(text[max(0, found.start() - 8) : found.start()]):
            yield found.start(), f"a secret by its entropy ({found[0][:4]}...)"


def looks_random(word: str) -> bool:
    """Tell whether a word is one that nobody would write by hand.

    Names and paths stay within one kind of letter for long; in a random word kinds change all the time.
    """
    letters = re.sub(r"[-_+/=]", "", word)
    if len(word) > _LONGEST or len(letters) < 18 or _IS_NO_SECRET.fullmatch(word):
        return False
    kinds = [_kind(letter) for letter in letters]
    changes = sum(one != other for one, other in itertools.pairwise(kinds)) / len(letters)
    has_all = set(kinds) == {"upper", "lower", "digit"}
    is_mixed = "digit" in kinds and kinds.count("digit") >= 2 and (has_all or len(letters) >= 28)
    return is_mixed and changes >= 0.35 and entropy(letters) >= 3.5


def entropy(word: str) -> float:
    """Give Shannon's entropy of a word in bits per letter."""
    counts = Counter(word).values()
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts)


def _kind(letter: str) -> str:
    return "digit" if letter.isdigit() else "upper" if letter.isupper() else "lower"
