"""Do something again and again beside the work of another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def every(interval_s: float, act: Callable[[], None], *, name: str) -> Iterator[None]:
    """Have a thread `act` each `interval_s` seconds until the block is left, which waits for an act in progress."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(interval_s):
            act()

    thread = threading.Thread(target=tick, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
