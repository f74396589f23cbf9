"""Hide private keys in PEM blocks, those too that were cut off."""

from __future__ import annotations

import re

from contracts.redaction.hidden import HIDDEN

_NAME = r"[A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?(?:-----| ----)"
_BEGIN = re.compile(rf"----[- ]BEGIN {_NAME}")
_END = re.compile(rf"----[- ]END {_NAME}")
_HEADER = re.compile(r"(?:Proc-Type|DEK-Info|Comment|Version):.*")
_WORD = re.compile(r"[A-Za-z0-9+/=\\]+")
_RUN = re.compile(r"[A-Za-z0-9+/=]{32,}")
_MOST_LINES = 400  # of the longest keys there are


def hidden(text: str) -> str:
    """Give a text without private keys; one whose beginning is missing is known by its end."""
    if "PRIVATE KEY" not in text:
        return text
    blocks, shown = KeyBlocks(), list[str]()
    for line in text.split("\n"):
        told = blocks.line(line)
        if blocks.lacked_its_beginning:
            for number in range(len(shown) - 1, -1, -1):
                if not _RUN.search(shown[number]):
                    break
                shown[number] = HIDDEN
        shown.append(told)
    return "\n".join(shown)


class KeyBlocks:
    """Takes lines one after another. `lacked_its_beginning`: the last one ended a key that none had begun."""

    def __init__(self) -> None:
        self.lacked_its_beginning = False
        self._lines_inside = 0

    def line(self, line: str) -> str:
        """Give the line without what is of a private key; each line stays one."""
        self.lacked_its_beginning = False
        if self._lines_inside:
            end = _END.search(line)
            if end is None:
                return self._inside(line)
            self._lines_inside = 0
            return HIDDEN + self._outside(line[end.end() :])
        return self._outside(line)

    def _inside(self, line: str) -> str:
        """Hide what looks like a key's; the first line that does not is outside again."""
        text = line.strip()
        if self._lines_inside <= _MOST_LINES:
            self._lines_inside += 1
            if not text or _HEADER.fullmatch(text):
                return line
            if _WORD.fullmatch(text):
                return HIDDEN
            if _RUN.search(line):
                return _RUN.sub(HIDDEN, line)
        self._lines_inside = 0
        return self._outside(line)

    def _outside(self, line: str) -> str:
        shown: list[str] = []
        at = 0
        while True:
            begin, end = _BEGIN.search(line, at), _END.search(line, at)
            if end is not None and (begin is None or end.start() < begin.start()):
                self.lacked_its_beginning = not shown
                shown = [HIDDEN]
                at = end.end()
            elif begin is not None:
                shown += [line[at : begin.start()], HIDDEN]
                end = _END.search(line, begin.end())
                if end is None:
                    self._lines_inside = 1
                    return "".join(shown)
                at = end.end()
            else:
                return "".join([*shown, line[at:]])
