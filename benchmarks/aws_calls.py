"""Count what this process asks of AWS."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import botocore


class AwsCalls:
    """Requests by verb, retries included, of every botocore session opened after `watch`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def watch(self) -> None:
        """Begin, for the life of this process."""
        botocore.register_initializer(lambda session: session.register("before-send", self._count))

    def taken(self) -> Counter[str]:
        """What was counted since this was last asked."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def _count(self, **sent: Any) -> None:
        with self._lock:
            self._counts[sent["event_name"].rpartition(".")[2]] += 1
