"""Find the commands of a shell script: what is called with what, from which line on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from imagebuilder.lint import shell_words
from imagebuilder.lint.shell_words import Token

_OPENING = frozenset({"if", "while", "until", "for", "select", "case", "{"})
_CLOSING = frozenset({"fi", "done", "esac", "}"})
_RESERVED = _OPENING | _CLOSING | {"then", "else", "elif", "do", "!", "time", "function", "in", "coproc"}
_ARE_NO_COMMANDS = frozenset({"for", "select", "case"})
"""What stands behind these up to the next operator are words, not a command."""
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=")


@dataclass(frozen=True, slots=True)
class Command:
    """One simple command. `line` counts from 0; `words` have their quotes taken away, `raw` are as they are written.

    Commands with the same `pipeline` are joined by |. `is_conditional` says that it may be left out: it stands in an
    if, a loop, a function, a group, or behind && or ||. `is_inner` says that it stands in a substitution.
    """

    line: int
    words: tuple[str, ...]
    raw: tuple[str, ...]
    lines: tuple[int, ...]
    assignments: tuple[tuple[str, str], ...]
    pipeline: int
    is_conditional: bool
    is_inner: bool
    heredoc: str = ""
    heredoc_line: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """A word's use of variables or of references outside of quotes; `line` counts from 0."""

    line: int
    text: str
    names: frozenset[str]
    has_bare_reference: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """A script's commands, the words in which variables or references are used, and what is never closed."""

    commands: tuple[Command, ...]
    uses: tuple[Use, ...]
    faults: tuple[tuple[int, str], ...]


def parse(text: str) -> Parsed:
    """Find the commands of a script; takes any text. Comments and what is given to programs as text are left out."""
    found = shell_words.split(text)
    kept = _Found()
    _Reader(kept, found.tokens, is_inner=False).read()
    return Parsed(tuple(kept.commands), tuple(kept.uses), found.faults)


@dataclass(slots=True)
class _Found:
    """What has been found in the whole script."""

    commands: list[Command] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    pipelines: int = 0

    def new_pipeline(self) -> int:
        self.pipelines += 1
        return self.pipelines


@dataclass(slots=True)
class _Pending:
    """The command that is being read."""

    words: list[Token] = field(default_factory=list)
    is_redirected: bool = False
    is_no_command: bool = False
    heredoc: Token | None = None


class _Reader:
    """Groups the tokens of a script, or of one substitution, into commands."""

    def __init__(self, found: _Found, tokens: Sequence[Token], *, is_inner: bool) -> None:
        self._found = found
        self._tokens = tokens
        self._is_inner = is_inner
        self._at = 0
        self._pending = _Pending()
        self._pipeline = found.new_pipeline()
        self._is_guarded = False  # behind && or ||
        self._depth = 0  # of if, loops, groups
        self._parentheses = 0
        self._awaits_pattern = False  # of a case

    def read(self) -> None:
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.kind == "word":
                self._word(token)
            elif token.is_operator(*shell_words.REDIRECTIONS):
                self._redirection(token)
            elif token.is_operator("("):
                self._opened()
            elif token.is_operator(")") and not self._parentheses:
                self._pattern_ended()
            else:
                self._command_ended(token)
        self._finish()

    def _word(self, token: Token) -> None:
        pending = self._pending
        self._note(token)
        is_first = not pending.words and not pending.is_no_command
        if pending.is_redirected:
            pending.is_redirected = False
        elif is_first and token.raw in _RESERVED:
            self._depth += (token.raw in _OPENING) - (token.raw in _CLOSING and self._depth > 0)
            pending.is_no_command = token.raw in _ARE_NO_COMMANDS
            self._awaits_pattern = token.raw == "case"
            if token.raw == "function":
                self._at += 1  # its name
        elif is_first and token.raw == "[[":
            self._go_behind("]]")
        else:
            pending.words.append(token)

    def _note(self, token: Token) -> None:
        """Remember what a word uses, with the commands of its substitutions."""
        if token.names or token.has_bare_reference:
            self._found.uses.append(Use(token.line, token.text, token.names, token.has_bare_reference))
        for inner in token.inner:
            _Reader(self._found, inner, is_inner=True).read()

    def _redirection(self, token: Token) -> None:
        pending = self._pending
        if pending.words and pending.words[-1].raw.isdigit():
            pending.words.pop()  # the number of an open file
        pending.is_redirected = True
        if token.heredoc:
            pending.heredoc = token

    def _opened(self) -> None:
        if self._awaits_pattern:
            return
        is_array = bool(self._pending.words) and self._pending.words[-1].raw.endswith("=")
        is_function = self._at < len(self._tokens) and self._tokens[self._at].is_operator(")")
        if is_array or is_function:
            self._go_behind(")")
            if is_function:
                self._pending = _Pending()
        else:
            self._finish()
            self._parentheses += 1

    def _go_behind(self, mark: str) -> None:
        """Leave out the operators of a test or an array, which join no commands."""
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.kind == "word":
                self._note(token)
            if token.text == mark:
                return

    def _pattern_ended(self) -> None:
        """Forget the pattern of a case, with its alternatives."""
        commands = self._found.commands
        while commands and commands[-1].pipeline == self._pipeline:
            commands.pop()
        self._pending = _Pending()
        self._pipeline = self._found.new_pipeline()
        self._is_guarded = self._awaits_pattern = False

    def _command_ended(self, token: Token) -> None:
        self._finish()
        self._awaits_pattern = self._awaits_pattern or token.is_operator(";;", ";&", ";;&")
        if token.is_operator(")"):
            self._parentheses -= 1
        if not token.is_operator("|", "|&"):
            self._pipeline = self._found.new_pipeline()
            self._is_guarded = token.is_operator("&&", "||")

    def _finish(self) -> None:
        pending, self._pending = self._pending, _Pending()
        if not pending.words or pending.is_no_command:
            return
        words, assignments = list(pending.words), []
        while words and (assigned := _ASSIGNMENT.match(words[0].raw)):
            assignments.append((assigned[1], words.pop(0).text.partition("=")[2]))
        self._found.commands.append(
            Command(
                line=pending.words[0].line,
                words=tuple(word.text for word in words),
                raw=tuple(word.raw for word in words),
                lines=tuple(word.line for word in words),
                assignments=tuple(assignments),
                pipeline=self._pipeline,
                is_conditional=self._is_guarded or self._depth > 0 or self._parentheses > 0,
                is_inner=self._is_inner,
                heredoc=pending.heredoc.heredoc if pending.heredoc else "",
                heredoc_line=pending.heredoc.heredoc_line if pending.heredoc else 0,
            )
        )
