"""Split the text of a shell script into words and operators, with their lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_OPERATORS = (
    "<<<", "<<-", "&>>", ";;&", "&&", "||", ";;", ";&", "|&", "<<", "<>", "<&", ">&", ">>", ">|", "&>", "|", "&", ";",
    "(", ")", "<", ">",
)  # fmt: skip
REDIRECTIONS = frozenset({"<<<", "<<-", "&>>", "<<", "<>", "<&", ">&", ">>", ">|", "&>", "<", ">"})
_HEREDOCS = ("<<", "<<-")
_DEEPEST = 20
"""Substitutions in each other beyond this are taken as plain text."""
_PLAIN = re.compile(r"[^\s'\"\\$`{|&;()<>#]+")
_NAME = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_REFERENCE = re.compile(r"\{\{.{0,300}?\}\}")


@dataclass(frozen=True, slots=True)
class Token:
    """A word, an operator or a line's end. `text` has its quotes taken away, `raw` is as it is written.

    `line` counts from 0. `inner` are the tokens of the word's substitutions, `names` the variables that must be set,
    `has_bare_reference` says that a `{{ }}` stands outside of quotes; `heredoc` is the text an operator << brings.
    """

    kind: str
    text: str
    line: int
    raw: str = ""
    inner: tuple[tuple[Token, ...], ...] = ()
    names: frozenset[str] = frozenset()
    has_bare_reference: bool = False
    heredoc: str = ""
    heredoc_line: int = 0

    def is_operator(self, *texts: str) -> bool:
        """Whether this is one of these operators."""
        return self.kind == "operator" and self.text in texts


@dataclass(frozen=True, slots=True)
class Split:
    """A script's tokens, and what is open at its end: `(line, what)`."""

    tokens: tuple[Token, ...]
    faults: tuple[tuple[int, str], ...]


def split(text: str) -> Split:
    """Split a script. Takes any text: where something never ends, the rest of the text belongs to it."""
    lexer = _Lexer(text)
    return Split(tuple(lexer.tokens(until_parenthesis=False, depth=0)), tuple(lexer.faults))


@dataclass(slots=True)
class _Word:
    """A word that is being read."""

    line: int
    start: int
    text: list[str] = field(default_factory=list)
    inner: list[tuple[Token, ...]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    has_bare_reference: bool = False


class _Lexer:
    """Reads from `at` on; substitutions are read by the same object, so that lines and faults are counted once."""

    def __init__(self, text: str) -> None:
        self.faults: list[tuple[int, str]] = []
        self._text = text
        self._at = 0
        self._line = 0

    def tokens(self, *, until_parenthesis: bool, depth: int) -> list[Token]:
        """Read to the end, or behind the parenthesis that closes what was opened before."""
        found: list[Token] = []
        awaited: list[tuple[int, Token]] = []  # heredocs, whose text begins on the next line
        open_parentheses = 0
        while self._at < len(self._text):
            here = self._text[self._at]
            if here == "\n":
                found.append(Token("end", "\n", self._line))
                self._forward(1)
                self._heredocs(found, awaited)
            elif here.isspace() or self._text.startswith("\\\n", self._at):
                self._forward(1 if here.isspace() else 2)
            elif here == "#":
                self._forward(self._distance("\n"))
            elif (operator := self._operator()) is not None:
                if operator == ")" and until_parenthesis and not open_parentheses:
                    self._forward(1)
                    return found
                open_parentheses += (operator == "(") - (operator == ")" and open_parentheses > 0)
                found.append(Token("operator", operator, self._line))
                self._forward(len(operator))
            else:
                word = self._word(depth)
                if found and found[-1].is_operator(*_HEREDOCS):
                    awaited.append((len(found) - 1, word))
                found.append(word)
        if until_parenthesis:
            self._fault("a substitution $( is never closed")
        return found

    def _forward(self, count: int) -> str:
        taken = self._text[self._at : self._at + count]
        self._line += taken.count("\n")
        self._at += len(taken)
        return taken

    def _distance(self, mark: str) -> int:
        found = self._text.find(mark, self._at)
        return (len(self._text) if found < 0 else found) - self._at

    def _fault(self, what: str, line: int | None = None) -> None:
        self.faults.append((self._line if line is None else line, what))

    def _operator(self) -> str | None:
        if self._text.startswith(("<(", ">("), self._at):
            return None  # the substitution of a process: part of a word
        return next((each for each in _OPERATORS if self._text.startswith(each, self._at)), None)

    def _heredocs(self, found: list[Token], awaited: list[tuple[int, Token]]) -> None:
        for number, mark in awaited:
            operator, line, lines = found[number], self._line, []
            while self._at < len(self._text):
                one = self._forward(self._distance("\n") + 1)
                plain = one.rstrip("\n")
                if (plain.lstrip("\t") if operator.text == "<<-" else plain) == mark.text:
                    break
                lines.append(one)
            found[number] = Token("operator", operator.text, operator.line, heredoc="".join(lines), heredoc_line=line)
        awaited.clear()

    def _word(self, depth: int) -> Token:
        word = _Word(self._line, self._at)
        while self._at < len(self._text):
            here = self._text[self._at]
            if here.isspace() or (self._at > word.start and self._operator() is not None):
                break
            self._part(word, depth)
        return Token(
            "word",
            "".join(word.text),
            word.line,
            raw=self._text[word.start : self._at],
            inner=tuple(word.inner),
            names=frozenset(word.names),
            has_bare_reference=word.has_bare_reference,
        )

    def _part(self, word: _Word, depth: int) -> None:
        here = self._text[self._at]
        if here == "'":
            self._forward(1)
            word.text.append(self._until("'", "a quote ' is never closed"))
        elif self._text.startswith("$'", self._at):
            self._forward(2)
            word.text.append(self._escaped_until("'"))
        elif here == '"':
            self._double_quoted(word, depth)
        elif here == "\\":
            word.text.append(self._forward(2)[1:].replace("\n", ""))
        elif reference := _REFERENCE.match(self._text, self._at):
            word.has_bare_reference = True
            word.text.append(self._forward(len(reference[0])))
        elif self._text.startswith(("<(", ">("), self._at) or here in "$`":
            self._expansion(word, depth)
        else:
            plain = _PLAIN.match(self._text, self._at)
            word.text.append(self._forward(len(plain[0]) if plain else 1))

    def _double_quoted(self, word: _Word, depth: int) -> None:
        start = self._line
        self._forward(1)
        while self._at < len(self._text):
            here = self._text[self._at]
            if here == '"':
                self._forward(1)
                return
            if here == "\\":
                pair = self._forward(2)
                word.text.append(pair[1:].replace("\n", "") if pair[1:] in ('"', "\\", "$", "`", "\n") else pair)
            elif here in "$`":
                self._expansion(word, depth)
            else:
                word.text.append(self._forward(1))
        self._fault('a quote " is never closed', start)

    def _expansion(self, word: _Word, depth: int) -> None:
        """Read what begins with a $, a backtick or the < of a process's substitution."""
        start = self._at
        if self._text.startswith("$((", self._at):
            self._forward(3)
            self._until("))", "an arithmetic $(( is never closed")
        elif self._text.startswith(("$(", "<(", ">("), self._at) and depth < _DEEPEST:
            self._forward(2)
            word.inner.append(tuple(self.tokens(until_parenthesis=True, depth=depth + 1)))
        elif self._text.startswith("`", self._at) and depth < _DEEPEST:
            line = self._line
            self._forward(1)
            inner = _Lexer(self._escaped_until("`"))
            inner._line = line
            word.inner.append(tuple(inner.tokens(until_parenthesis=False, depth=depth + 1)))
        elif self._text.startswith("${", self._at) and not _NAME.match(self._text, self._at):
            self._braced()
        elif name := _NAME.match(self._text, self._at):
            word.names.add(name[1] or name[2])
            self._forward(len(name[0]))
        else:
            self._forward(1)
        word.text.append(self._text[start : self._at])

    def _braced(self) -> None:
        """Go behind the brace that closes a ${...} with operators in it."""
        start, open_braces = self._line, 0
        while self._at < len(self._text):
            here = self._text[self._at]
            if here == "\\":
                self._forward(2)
                continue
            if here == '"':
                self._forward(1)
                self._escaped_until('"')
                continue
            open_braces += (here == "{") - (here == "}")
            self._forward(1)
            if here == "}" and not open_braces:
                return
        self._fault("an expansion ${ is never closed", start)

    def _until(self, mark: str, fault: str) -> str:
        start, distance = self._line, self._distance(mark)
        taken = self._forward(distance)
        if self._forward(len(mark)) != mark:
            self._fault(fault, start)
        return taken

    def _escaped_until(self, mark: str) -> str:
        """Read to an unescaped mark and behind it."""
        start, taken = self._line, []
        while self._at < len(self._text):
            if self._text[self._at] == "\\":
                taken.append(self._forward(2))
                continue
            here = self._forward(1)
            if here == mark:
                return "".join(taken)
            taken.append(here)
        self._fault(f"a quote {mark} is never closed", start)
        return "".join(taken)
