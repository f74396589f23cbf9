"""Keep the whole log of a build in a file of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TextIO


class KeptLog:
    """A file of mode 0600 that grows with the log, made when the first lines come; a context manager.

    A build does not end because this machine cannot keep its log: `trouble` then says why, and nothing more is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        self._file: TextIO | None = None

    def __enter__(self) -> KeptLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def is_kept(self) -> bool:
        """Whether the file has everything that was to be kept, and there was something."""
        return self._file is not None and not self.trouble

    def write(self, lines: Iterable[str]) -> None:
        """Add lines; they are in the file when this returns."""
        text = "".join(f"{line}\n" for line in lines)
        if not text or self.trouble:
            return
        try:
            file = self._file = self._file or self._opened()
            file.write(text)
            file.flush()
        except OSError as error:
            self.trouble = str(error)
            self._close()

    def _opened(self) -> TextIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace")

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:  # what is still buffered did not fit
            self.trouble = self.trouble or str(error)
