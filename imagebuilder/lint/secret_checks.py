"""Find secrets where others can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder.lint import secret_words
from imagebuilder.lint.calls import Call
from imagebuilder.lint.hits import Hit
from imagebuilder.lint.source import Source, Step, Text

_REMEDY = "keep it in Secrets Manager and fetch it in the step with the build's profile"
_ASSIGNED = re.compile(r"(?<![\w-])([A-Za-z_]\w*)=(\"[^\"\n]*\"|'[^'\n]*'|[^\s;&|'\"]+)")
_ARGUMENT = re.compile(
    r"--?[\w-]*?(passw(or)?d|passphrase|token|secret|api-?key|access-?key|credentials?)(?P<end>[\w-]*)", re.I
)
_ELSEWHERE = re.compile(r"[\w-]*(stdin|file|path|id|name|arn|dir|url|ttl-seconds)", re.I)
_HEADER = re.compile(r"(authorization|(private|job|x-\S*)-token|x-api-key|cookie)\s*:", re.I)
_OF_THE_INSTANCE = re.compile(r"x-aws-ec2-metadata-token", re.I)  # opens nothing elsewhere
_NEVER_A_PROCESS = frozenset(
    {"echo", "printf", "test", "[", "read", "export", "local", "declare", "set", "unset", "return", "eval", ":"}
)
"""What the shell does itself."""


def in_clear(source: Source) -> Iterator[Hit]:
    """Secrets in constants, defaults, scripts and other inputs."""
    seen: set[int] = set()
    for one in source.variables:
        if one.value and secret_words.is_named_like_a_secret(one.name) and "{{" not in one.value:
            what = "the default of the parameter" if one.is_parameter else "the constant"
            seen.add(one.value_line)
            yield Hit(one.value_line, f"{what} {one.name} is a secret written in clear", _REMEDY)
        elif one.value and (found := next(secret_words.secrets(one.value), None)):
            seen.add(one.value_line)
            yield Hit(one.value_line, f"the value of {one.name} looks like {found[1]}", _REMEDY)
    for step in source.steps:
        for text in step.texts:
            for line, message in _in_text(text):
                if line not in seen:
                    seen.add(line)
                    yield Hit(line, message, _REMEDY)


def _in_text(text: Text) -> Iterator[tuple[int, str]]:
    for at, what in secret_words.secrets(text.value):
        yield text.line_at(at), f"this looks like {what}"
    for found in _ASSIGNED.finditer(text.value):
        name, value = found[1], found[2].strip("'\"")
        is_named = name.upper() == "AWS_ACCESS_KEY_ID" or secret_words.is_named_like_a_secret(name)
        if is_named and len(value) >= 6 and secret_words.is_literal(value) and "$(" not in value:
            yield text.line_at(found.start()), f"{name} is given a secret written in clear"


def in_argv(source: Source) -> Iterator[Hit]:
    """Secrets among a program's arguments, which every process on the machine can read, and the build's log too."""
    for _step, call in _calls(source):
        if call.program in _NEVER_A_PROCESS:
            continue
        name = _secret_argument(call)
        if name:
            remedy = "give it on standard input, or in a file that only its user can read"
            yield Hit(call.line, f"{call.program} is given a secret as an argument, {name}", remedy)


def in_log(source: Source) -> Iterator[Hit]:
    """Scripts that trace their commands while they hold a secret."""
    for step in source.steps:
        if step.script is None or "get-secret-value" not in step.script.text:
            continue
        for call in step.script.calls:
            traces = call.program == "set" and (call.has_option("-x") or "xtrace" in call.args)
            if traces or (call.program in ("bash", "sh") and call.has_option("-x")):
                yield Hit(call.line, "set -x writes the secret into the build's log", "take it out of this script")


def _calls(source: Source) -> Iterator[tuple[Step, Call]]:
    for step in source.steps:
        for call in step.script.calls if step.script else ():
            yield step, call


def _secret_argument(call: Call) -> str:
    args = call.args
    for number, arg in enumerate(args):
        following = args[number + 1] if number + 1 < len(args) else ""
        name, _, value = arg.partition("=")
        found = _ARGUMENT.fullmatch(name)
        has_value = value or (following and not following.startswith("-"))
        if found and not _ELSEWHERE.fullmatch(found["end"]) and has_value:
            return name
        is_header = call.program in ("curl", "wget") and arg in ("-H", "--header")
        if is_header and _HEADER.search(following) and not _OF_THE_INSTANCE.search(following):
            return following.partition(":")[0]
        if call.program == "curl" and arg in ("-u", "--user") and ":" in following:
            return arg
        if call.program == "sshpass" and arg.startswith("-p"):
            return "-p"
    return ""
