"""Print results for people and for machines: data to stdout, progress to stderr, colour only on a terminal."""

from __future__ import annotations

import dataclasses
import json as json_format
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from contracts.redaction import BY_LOOK
from runner.stages import log_text
from tasks import typed

_NARROW = 80
_LONG_WORD = 24  # a path, say; such may be broken up
_LEVELS = {"red": logging.ERROR, "yellow": logging.WARNING}
_log = logging.getLogger(__name__)

Row = Sequence[object]


class _Process:
    """Where progress goes in this process, and what none of its output may tell."""

    is_logged = False
    redactor = BY_LOOK


def out() -> Console:
    """The console for results."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=True)


def err() -> Console:
    """The console for progress and errors."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def hide(secrets: Iterable[str]) -> None:
    """From now on show none of these; a secret of one event is none of another's business either."""
    _Process.redactor = _Process.redactor.knowing(secrets)


def redacted(text: str) -> str:
    """Take out the secrets that are known by now."""
    return _Process.redactor(text)


def cleaned(text: object) -> str:
    """Take out what a terminal would obey, and secrets: names and messages may come from a stranger's submission."""
    return redacted(log_text.plain(str(text).replace("\r", ""))).replace("\t", " ")


def say_in_log() -> None:
    """From now on send progress to the log instead of the terminal, for machines that read standard error."""
    _log.setLevel(logging.INFO)
    _Process.is_logged = True


def is_said_in_log() -> bool:
    """Whether progress goes to the log."""
    return _Process.is_logged


def say(text: str, style: str = "") -> None:
    """One line of progress."""
    if _Process.is_logged:
        _log.log(_LEVELS.get(style, logging.INFO), "%s", cleaned(text).strip(), extra={"action": "told"})
        return
    err().print(Text(cleaned(text), style=style))


def result(text: str, style: str = "") -> None:
    """One line of a result."""
    out().print(Text(cleaned(text), style=style))


def next_step(command: str) -> None:
    """The last line: what to type next."""
    say(f"next: {typed.again(command)}", style="dim")


@contextmanager
def progress(title: str, *, total: float | None = None) -> Iterator[Callable[[str, float | None], None]]:
    """Show how work goes on: a bar on a terminal, a line for each step elsewhere.

    Gives a function that takes what happens now, with how far it is on the way to `total` (None: not known).
    """
    console = err()
    if not console.is_terminal:
        say(f"{title} ...")
        yield lambda text, _done: say(f"  {text}")
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[now]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        row = bar.add_task(cleaned(title), total=total, now="")
        yield lambda text, done: bar.update(row, completed=done, now=cleaned(text))


def confirmed(question: str) -> bool:
    """Ask on the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    return input(f"{cleaned(question)} [y/N] ").strip().lower() in ("y", "yes")


def table(title: str, columns: Sequence[str], rows: Sequence[Row], *, empty: str = "nothing yet") -> None:
    """A table on a terminal, or a list where that is too narrow for one; aligned plain columns elsewhere."""
    title, columns = cleaned(title), [cleaned(column) for column in columns]
    cells = [[_cell(value) for value in row] for row in rows]
    console = out()
    if not cells:
        result(f"{title}: {empty}")
    elif console.is_terminal and _is_too_narrow(console.width, columns, cells):
        _records(console, title, columns, cells)
    elif console.is_terminal:
        console.print(_rich_table(title, columns, cells))
    else:
        _plain_table(title, columns, cells)


def data(value: Any) -> None:
    """JSON to stdout."""
    plain = json_format.loads(json_format.dumps(value, default=_jsonable))
    print(json_format.dumps(_without_secrets(plain), indent=2))


def rows_as_json(rows: Sequence[Any]) -> None:
    """A list of dataclass values as JSON to stdout."""
    data([dataclasses.asdict(row) for row in rows])


def duration(seconds: float | None) -> str:
    """A time a person reads: `0.4 s`, `75 s`, `2 h 05 min`, `3 days`."""
    if seconds is None:
        return "-"
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes < 48 * 60 else f"{minutes // 1440} days"


def moment(at: datetime) -> str:
    """A time as a person reads it; UTC, like everything the database holds."""
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return moment(value)
    return cleaned(value)


def _rich_table(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    made = Table(title=Text(title), title_justify="left", title_style="bold", header_style="bold")
    for number, column in enumerate(columns):
        numeric = all(re.fullmatch(r"-|[-+]?[\d.]+(e[-+]?\d+)?( s| min)?", row[number]) for row in cells)
        made.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        made.add_row(*(Text(cell) for cell in row))
    return made


def _is_too_narrow(width: int, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> bool:
    """Whether a table would break up words, such as an instance's id, or has no room for sentences."""
    lines = (columns, *cells)
    numbers = range(len(columns))
    whole = _framed(max(len(line[number]) for line in lines) for number in numbers)
    words = _framed(max(_longest_word(line[number]) for line in lines) for number in numbers)
    return words > width or (width < _NARROW and whole > width)


def _longest_word(cell: str) -> int:
    return min(_LONG_WORD, max(map(len, cell.split()), default=0))


def _framed(widths: Iterable[int]) -> int:
    return sum(width + 3 for width in widths) + 1


def _records(console: Console, title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Each row as lines of its own: columns of three letters cannot be read."""
    console.print(Text(title, style="bold"))
    label = max(map(len, columns))
    for row in cells:
        for number, (column, cell) in enumerate(zip(columns, row, strict=True)):
            if cell:
                console.print(Text(f"{'  ' if number else '- '}{column:<{label}}  {cell}"))


def _plain_table(title: str, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    lines = [list(columns), *([cell.replace("\n", " ") for cell in row] for row in cells)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    result(title)
    for line in lines:
        result("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _without_secrets(value: Any) -> Any:
    match value:
        case str():
            return redacted(value)
        case list():
            return [_without_secrets(item) for item in value]
        case dict():
            return {name: _without_secrets(item) for name, item in value.items()}
        case _:
            return value


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
