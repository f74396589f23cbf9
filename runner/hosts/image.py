"""Know which machine image the next hosts are launched from."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from contracts.errors import ImageNotFound, RampartError
from contracts.image import ImageReference

_log = logging.getLogger(__name__)


class CurrentImage:
    """The event's image, asked for anew before a launch where the last answer is `fresh_s` old; thread-safe.

    `ask` may raise RampartError: while nobody knows, the last image that was known is used. That no image may be used
    any more (ImageNotFound) is an answer, and is raised.
    """

    def __init__(
        self,
        ask: Callable[[], ImageReference],
        *,
        first: ImageReference,
        clock: Callable[[], float],
        fresh_s: float,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._known = first
        self._asked_at = clock()

    def __call__(self) -> str:
        """Give the image's id. Raises ImageNotFound."""
        with self._lock:
            if self._clock() - self._asked_at >= self._fresh_s:
                self._known = self._answer()
                self._asked_at = self._clock()
            return self._known.image_id

    def _answer(self) -> ImageReference:
        try:
            return self._ask()
        except ImageNotFound:
            raise
        except RampartError as error:
            known = self._known.image_id
            _log.warning("%s: launching from %s as before", error, known, extra={"action": "image-unknown"})
            return self._known
