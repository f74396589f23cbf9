"""Tell which programs a script calls, whatever stands around them: sudo, env, timeout, sh -c."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from imagebuilder.lint import shell
from imagebuilder.lint.shell import Command, Use

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})
_DEEPEST = 8
"""Scripts within arguments of each other beyond this are not looked at."""
_PYTHON = re.compile(r"python[\d.]*")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_CONSTANT = re.compile(r"\{\{\s*([\w-]+)\s*\}\}")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def _of(words: str) -> frozenset[str]:
    return frozenset(words.split())


# programs that run another one: their options that take a value, and how many words stand before the other program
_WRAPPERS: dict[str, tuple[frozenset[str], int]] = {
    "sudo": (_of("u user g group h host p prompt C r role t type T U D chdir R chroot"), 0),
    "env": (frozenset({"u", "unset", "C", "chdir", "S"}), 0),
    "nohup": (frozenset(), 0),
    "exec": (frozenset({"a"}), 0),
    "command": (frozenset(), 0),
    "builtin": (frozenset(), 0),
    "nice": (frozenset({"n", "adjustment"}), 0),
    "ionice": (frozenset({"c", "class", "n", "classdata"}), 0),
    "timeout": (frozenset({"k", "kill-after", "s", "signal"}), 1),
    "stdbuf": (frozenset({"i", "o", "e"}), 0),
    "setsid": (frozenset(), 0),
    "xargs": (frozenset({"I", "n", "P", "L", "d", "a", "s"}), 0),
    "runuser": (frozenset({"u", "user", "g", "group"}), 0),
}
_USER_OPTIONS = ("-u", "--user")


@dataclass(frozen=True, slots=True)
class Call:
    """One program called by a script. `line` is that of the file; `args` hold known variables and constants filled in.

    `raw` are the words as written, `words` without their quotes. `wrappers` are the programs it is called through,
    `user` whom it runs as, None for whoever runs the script. `environment` is what is assigned for it alone.
    `is_top` says that it is a command of the script itself, `is_always` that every run of the script comes to it.
    """

    line: int
    program: str
    args: tuple[str, ...]
    words: tuple[str, ...]
    raw: tuple[str, ...]
    wrappers: tuple[str, ...]
    user: str | None
    environment: Mapping[str, str]
    pipeline: int
    is_top: bool
    is_always: bool

    @property
    def options(self) -> tuple[str, ...]:
        """The arguments that begin with a dash."""
        return tuple(arg for arg in self.args if arg.startswith("-"))

    @property
    def operands(self) -> tuple[str, ...]:
        """The arguments that do not, the values of options among them."""
        return tuple(arg for arg in self.args if not arg.startswith("-"))

    def has_option(self, *names: str) -> bool:
        """Whether an option is given: `-f` also within `-sf`, `--fail` also as `--fail=...`."""
        for option in self.options:
            if option.partition("=")[0] in names:
                return True
            letters = "" if option.startswith("--") else option[1:]
            if any(len(name) == 2 and name[1] in letters for name in names):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Script:
    """The script of one step. `calls` come in the order of the text; `values` are literal values of its variables.

    `assigned` are all names it sets, `uses` its uses of variables and of references outside of quotes, both for the
    shell of the step alone; `faults` what is never closed. Lines are those of the file.
    """

    text: str
    lines: tuple[int, ...]
    calls: tuple[Call, ...]
    values: Mapping[str, str]
    assigned: frozenset[str]
    uses: tuple[Use, ...]
    faults: tuple[tuple[int, str], ...]


def script(text: str, lines: tuple[int, ...], constants: Mapping[str, str]) -> Script:
    """Read a script; `lines` are the file's lines of its own, `constants` the document's."""
    parsed = shell.parse(text)
    values = {name: value for name, value in _assignments(parsed.commands) if "$" not in value and "`" not in value}
    assigned = {name for name, _ in _assignments(parsed.commands)}
    assigned |= set(re.findall(r"\b(?:for|read|select)\s+(?:-\w+\s+)*(\w+)", text))
    reader = _Calls(values, constants)
    reader.read(parsed.commands, first_line=0, user=None, wrappers=(), depth=0)

    def line(number: int) -> int:
        return lines[min(number, len(lines) - 1)] if lines else 1

    return Script(
        text=text,
        lines=lines,
        calls=tuple(replace(call, line=line(call.line)) for call in reader.found),
        values=values,
        assigned=frozenset(assigned),
        uses=tuple(replace(use, line=line(use.line)) for use in parsed.uses),
        faults=tuple((line(number), what) for number, what in parsed.faults),
    )


def _assignments(commands: tuple[Command, ...]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for command in commands:
        if not command.words:
            found.extend(command.assignments)
        elif command.words[0] in ("export", "local", "readonly", "declare", "typeset"):
            found.extend((m[1], m[2]) for word in command.words[1:] if (m := _ASSIGNED.fullmatch(word)))
    return found


class _Calls:
    """Collects the calls of a script and of the scripts in its arguments."""

    def __init__(self, values: Mapping[str, str], constants: Mapping[str, str]) -> None:
        self.found: list[Call] = []
        self._values = values
        self._constants = constants
        self._pipelines = 0

    def read(
        self,
        commands: tuple[Command, ...],
        *,
        first_line: int,
        user: str | None,
        wrappers: tuple[str, ...],
        depth: int,
    ) -> None:
        base = self._pipelines
        self._pipelines += max((command.pipeline for command in commands), default=0)
        for command in commands:
            call, peeled = self._call(command, first_line, user, wrappers, base, is_top=depth == 0)
            if call is None:
                continue
            self.found.append(call)
            inner = _inner_script(call, command, peeled)
            if inner is not None and depth < _DEEPEST:
                text, line = inner
                self.read(
                    shell.parse(text).commands,
                    first_line=first_line + line,
                    user=call.user,
                    wrappers=call.wrappers,
                    depth=depth + 1,
                )

    def _call(
        self, command: Command, first_line: int, user: str | None, wrappers: tuple[str, ...], base: int, *, is_top: bool
    ) -> tuple[Call | None, int]:
        words = [self._filled(word) for word in command.words]
        at, environment, used = 0, dict(command.assignments), list(wrappers)
        while at < len(words):
            name = words[at].rpartition("/")[2]
            if name in ("su", "runuser") and not set(words[at:]) & {"-u", "--user"}:
                user = next((word for word in words[at + 1 :] if not word.startswith("-")), "root")
                used.append("su")
                break
            if name not in _WRAPPERS:
                break
            used.append(name)
            at, whom = _behind_wrapper(words, at, name)
            user = whom or user
            while at < len(words) and (assigned := _ASSIGNED.fullmatch(words[at])):
                environment[assigned[1]] = assigned[2]
                at += 1
        if at >= len(words) and at > 0:
            at = len(words) - 1  # a wrapper with nothing behind it, such as sudo -i
        if not words:
            return None, 0
        program, behind = _program(words, at)
        return Call(
            line=first_line + command.lines[at],
            program=program,
            args=tuple(words[behind:]),
            words=command.words[at:],
            raw=command.raw[at:],
            wrappers=tuple(used),
            user=None if user == "root" else user,
            environment=environment,
            pipeline=base + command.pipeline,
            is_top=is_top and not command.is_inner,
            is_always=is_top and not command.is_inner and not command.is_conditional,
        ), at

    def _filled(self, word: str) -> str:
        """Fill in what is known of a word: the document's constants, the script's literal variables."""
        for _ in range(3):
            filled = _VARIABLE.sub(lambda found: self._values.get(found[1] or found[2], found[0]), word)
            filled = _CONSTANT.sub(lambda found: self._constants.get(found[1], found[0]), filled)
            if filled == word or len(filled) > 10_000:
                break
            word = filled
        return word


def _behind_wrapper(words: list[str], at: int, name: str) -> tuple[int, str | None]:
    """Go behind a wrapper's options; gives the user they name as well."""
    with_value, operands = _WRAPPERS[name]
    whom: str | None = None
    at += 1
    while at < len(words) and words[at].startswith("-") and len(words[at]) > 1:
        option = words[at]
        at += 1
        if option == "--":
            break
        key, is_joined, value = option.partition("=")
        takes = key[2:] in with_value if option.startswith("--") else option[-1] in with_value
        if takes and not is_joined and at < len(words):
            value = words[at]
            at += 1
        if name in ("sudo", "runuser") and (key in _USER_OPTIONS or (not key.startswith("--") and key[-1] == "u")):
            whom = value
    return at + operands, whom


def _program(words: list[str], at: int) -> tuple[str, int]:
    """Give the program at a place, and where its arguments begin; `python -m pip` and `uv pip` are pip."""
    name = words[at].rpartition("/")[2]
    if _PYTHON.fullmatch(name) or name == "uv":
        for number in range(at + 1, len(words)):
            if words[number] == "-m" and number + 1 < len(words):
                return words[number + 1], number + 2
            if name == "uv" and words[number] == "pip":
                return "pip", number + 1
            if not words[number].startswith("-"):
                break
    return ("pip" if re.fullmatch(r"pip[\d.]+", name) else name), at + 1


def _inner_script(call: Call, command: Command, at: int) -> tuple[str, int] | None:
    """Give the script that a call of a shell is handed, with the line on which it begins."""
    words, lines = command.words[at:], command.lines[at:]
    if call.program == "eval":
        return " ".join(words[1:]), lines[0]
    if call.program not in SHELLS and call.program not in ("su", "runuser"):
        return None
    for number, word in enumerate(words[:-1]):
        if re.fullmatch(r"-[a-zA-Z]*c", word) or word == "--command":
            return words[number + 1], lines[number + 1]
        if word.startswith("-c") and call.program == "su":
            return word[2:], lines[number]
    operands = [word for word in words[1:] if not word.startswith("-")]
    if command.heredoc and (not operands or "-s" in words):
        return command.heredoc, command.heredoc_line
    return None
