"""No secret that is known, by its value or by its look, stays in a text that people read."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.redaction import BY_LOOK, Redactor

MIB = 2**20
SECRET = "s3cr3t/k+y=value"
LINE = "A" * 64


def pem(kind: str = "RSA PRIVATE KEY", *, lines: int = 3) -> list[str]:
    return [f"-----BEGIN {kind}-----", *[LINE] * lines, "c2hvcnQ=", f"-----END {kind}-----"]


@pytest.mark.parametrize(
    "spell",
    [
        lambda secret: secret,
        lambda secret: quote(secret, safe=""),
        lambda secret: quote(secret, safe="").lower(),
        quote_plus,
        lambda secret: secret.encode().hex(),
        lambda secret: secret.encode().hex().upper(),
        json.dumps,
        repr,
    ],
)
def test_a_known_secret_is_hidden_however_it_is_written(spell: object) -> None:
    assert callable(spell)
    assert Redactor([SECRET])(f"before {spell(SECRET)} after") in (
        "before *** after",
        'before "***" after',
        "before '***' after",
    )


@given(before=st.binary(max_size=40), after=st.binary(max_size=40), url_safe=st.booleans())
@settings(max_examples=60)
def test_a_known_secret_is_hidden_wherever_it_stands_in_base64(before: bytes, after: bytes, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    shown = Redactor([SECRET])(encode(before + SECRET.encode() + after).decode())
    assert "***" in shown
    for start in range(len(shown)):  # whatever is left of it, decoded from any place, is no half of the secret
        piece = shown[start : start + 16]
        if len(piece) == 16 and "*" not in piece:
            assert SECRET.encode()[:12] not in base64.b64decode(piece, altchars=b"-_" if url_safe else b"+/")


@given(st.text(st.characters(exclude_characters="*"), min_size=6), st.text(), st.text())
@settings(max_examples=60)
@example("abcdef", "abc", "def")
@example("no text: \udcff", "", "")
def test_no_text_around_a_secret_keeps_it_from_being_hidden(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret])(before + secret + after)


def test_a_word_too_short_to_be_hidden_stays() -> None:
    assert Redactor(["ramp", ""])("ramp-test ran") == "ramp-test ran"


def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert Redactor(["password1", "password1-of-staging"])("it is password1-of-staging") == "it is ***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("id AKIAABCDEFGHIJKLMNOP.", "id ***."),
        ("ASIAABCDEFGHIJKLMNOP", "***"),
        ("NOTAKIAABCDEFGHIJKLMNOP", "NOTAKIAABCDEFGHIJKLMNOP"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = ***"),
        ("export AWS_SECRET_ACCESS_KEY=wJalr; next", "export AWS_SECRET_ACCESS_KEY=***; next"),
        ("{'SecretAccessKey': 'wJalr', 'Region': 'eu'}", "{'SecretAccessKey': ***, 'Region': 'eu'}"),
        ('"SessionToken": "FwoGabc/+=="', '"SessionToken": ***'),
        ("IQoJb3JpZ2luX2VjEPabcdefghijklmnopqrstuvwxyz", "***"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ("password='two words'", "password=***"),
        ("GITHUB_TOKEN=abcdefghijklmnopqrst", "GITHUB_TOKEN=***"),
        ("postgresql+psycopg://ramp:p%40ss@db.example/ramp", "postgresql+psycopg://ramp:***@db.example/ramp"),
        ("redis://:secret@cache:6379/0", "redis://:***@cache:6379/0"),
        ("postgresql://u:p/w:x@h/db", "postgresql://u:***@h/db"),
        ("at http://h:80/a and postgres://u:p@db", "at http://h:80/a and postgres://u:***@db"),
        ("at http://h:80/a,postgres://u:p@db", "at http://h:80/a,postgres://u:***@db"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ", "***"),
        ("github_pat_0123456789abcdefghij_x", "***"),
        ("xoxb-123456789012-abcdef", "***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.abc_def", "***"),
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        ("-H 'authorization: Basic dXNlcjpwYXNz'", "-H 'authorization: Basic ***'"),
        ("Bearer 0123456789abcdef0123", "Bearer ***"),
    ],
)
def test_a_credential_is_known_by_its_look(text: str, shown: str) -> None:
    assert BY_LOOK(text) == shown
    assert BY_LOOK(shown) == shown
    assert BY_LOOK.lines()(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "cat: /etc/passwd: Permission denied",
        "http://127.0.0.1:8080/path?to=me@example.org",
        "ssh://git@host.example:22/x",
        "write postgresql://USER:PASSWORD@HOST/DATABASE",
        "sqlite:////srv/ramp/iris.db",
        "pad_token: [PAD], tokens: 300, max_new_tokens=20",
        'FATAL: password authentication failed for user "ramp"',
        "task-0123456789012345678901234567",
        "-----BEGIN CERTIFICATE-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx0 host",
        "Fold 0: accuracy 0.9712, time = 1.25 s",
    ],
)
def test_what_is_no_secret_stays_as_it_is(text: str) -> None:
    assert BY_LOOK(text) == text


@pytest.mark.parametrize("kind", ["RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
def test_a_private_key_is_hidden_line_by_line(kind: str) -> None:
    lines = ["before", *pem(kind), "after"]
    shown = ["before", *["***"] * 6, "after"]
    assert BY_LOOK("\n".join(lines)).split("\n") == shown
    assert list(map(BY_LOOK.lines(), lines)) == shown


def test_a_private_key_on_one_line_is_hidden() -> None:
    assert BY_LOOK(json.dumps({"key": "\n".join(pem()), "x": 1})) == '{"key": "***", "x": 1}'
    assert BY_LOOK("cut: -----BEGIN PRIVATE KEY-----\\nMIIE\\nab") == "cut: ***"


def test_a_private_key_that_breaks_off_is_hidden_as_far_as_it_goes() -> None:
    lines = [*pem()[:-2], "2026-01-01 the next message", LINE]
    shown = [*["***"] * 4, "2026-01-01 the next message", LINE]
    assert BY_LOOK("\n".join(lines)).split("\n") == shown
    assert list(map(BY_LOOK.lines(), lines)) == shown


def test_a_private_key_whose_beginning_is_missing_is_hidden_from_its_end_back() -> None:
    assert BY_LOOK("\n".join(["a line of words", *pem()[2:]])).split("\n")[:1] == ["a line of words"]
    assert LINE not in BY_LOOK("\n".join(["a line of words", LINE, LINE, pem()[-1]]))


def test_a_private_key_behind_a_logs_own_words_is_hidden() -> None:
    told = [f"2026-01-01 ERROR {line}" for line in pem()]
    assert LINE not in BY_LOOK("\n".join(told))


ADVERSARIAL = {
    "letters": "a", "dashes": "-", "scheme": "://", "user": "://a:", "port": "://a:1/", "web token": "eyJ",
    "dotted": "eyJaaaaaaaaaa.", "half a token": "eyJaaaaaaaaaa.aaaaaaaaaa ", "begin": "-----BEGIN PRIVATE KEY-----",
    "begin lines": "-----BEGIN PRIVATE KEY-----\n",
    "end lines": "-----END PRIVATE KEY-----\n", "key lines": f"{LINE}\n",
    "marker": "-----BEGIN ", "password": "password ", "assigned": "password=", "quoted": 'password="',
    "blanks": "password   ",
    "bearer": "bearer ", "header": "authorization: bearer ", "token": "_token=", "ids": "AKIA", "nearly": SECRET[:-1],
}  # fmt: skip


@pytest.mark.parametrize("case", ADVERSARIAL)
def test_a_text_made_to_be_slow_is_read_in_one_go(case: str) -> None:
    """Were the work to grow with the square of the length, this would not end within the patience of anybody."""
    piece = ADVERSARIAL[case]
    text = (piece * (2 * MIB // len(piece))) + "-----END PRIVATE KEY-----"
    assert len(Redactor([SECRET])(text)) <= len(text)


def test_knowing_more_secrets_makes_another_redactor() -> None:
    first = Redactor(["first-secret"])
    both = first.knowing(["second-secret"])
    assert both("first-secret second-secret") == "*** ***"
    assert first("first-secret second-secret") == "*** second-secret"
    assert both.knowing(["first-secret"]) is both


def test_a_redactor_does_not_tell_what_it_hides() -> None:
    assert SECRET not in repr(Redactor([SECRET]))
