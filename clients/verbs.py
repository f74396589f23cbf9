"""Give a transport its verbs, once it can start a command."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from clients.outputs import Running, finish, received
from contracts.remote import CommandResult


class Verbs(ABC):
    """`run`, `send` and `receive` of runner.ports.Transport over commands that a subclass starts."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        """Run a command to its end."""
        return self.send(argv, (stdin,) if stdin else (), timeout_s=timeout_s)

    def send(self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float | None = 600.0) -> CommandResult:
        """Run a command that reads `chunks`."""
        with self._started(argv, chunks, timeout_s) as command:
            return finish(command, argv)

    @contextmanager
    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> Iterator[Iterator[bytes]]:
        """Run a command and read its output piece by piece."""
        with self._started(argv, (), timeout_s) as command:
            yield received(command, argv)

    @abstractmethod
    def _started(
        self, argv: Sequence[str], chunks: Iterable[bytes], timeout_s: float | None
    ) -> AbstractContextManager[Running]:
        """Start a command that reads `chunks`; leaving ends it where it still runs."""
