"""Write a command's input while its output is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Thread


class Feeder:
    """A thread that writes chunks to a command: a command may write before it reads, so the two must not wait in turn.

    `write`, `end` and `abandon` may raise OSError or EOFError: the command then ended before it read everything, and
    its exit code tells. What fails while the chunks are made is kept for `check`; `abandon` then ends the command.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        write: Callable[[bytes], object],
        end: Callable[[], object],
        abandon: Callable[[], object],
    ) -> None:
        self._write = write
        self._end = end
        self._abandon = abandon
        self._failed: BaseException | None = None
        self._thread = Thread(target=self._feed, args=(chunks,), daemon=True, name="feeder")
        self._thread.start()

    def check(self) -> None:
        """Raise what failed while the chunks were made."""
        if self._failed is not None:
            raise self._failed

    def join(self) -> None:
        """Wait for the thread; to be called when the command has ended."""
        self._thread.join()

    def _feed(self, chunks: Iterable[bytes]) -> None:
        try:
            for chunk in chunks:
                if not _done(self._write, chunk):
                    return
            _done(self._end)
        except BaseException as error:
            self._failed = error
            _done(self._abandon)


def _done(action: Callable[..., object], *arguments: bytes) -> bool:
    try:
        action(*arguments)
    except (OSError, EOFError):
        return False
    return True
