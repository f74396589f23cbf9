"""Show on the terminal what no command foresaw: log records, exceptions nobody caught."""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from types import TracebackType

from rich.text import Text

from contracts.event_secrets import secrets_in
from tasks import console


def heed() -> None:
    """From now on they are clean text without secrets. Whoever has set up either of them already keeps it so."""
    console.hide(secrets_in(os.environ))
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(_OnTerminal(logging.WARNING))
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _tell
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _tell_of_thread


class _OnTerminal(logging.Handler):
    """Prints records, unless there is a log that all of them go to."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        if console.is_said_in_log():
            return
        try:
            console.err().print(Text(console.cleaned(self.format(record))))
        except Exception:
            self.handleError(record)


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(console.cleaned(text))


def _tell_of_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_value is not None:
        _tell(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
