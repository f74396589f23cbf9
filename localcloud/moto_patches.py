"""Replace functions of moto's classes for a while."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

Original = Callable[..., Any]


class Patches:
    """Replacements that are taken back in reverse order."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any]] = []

    def wrap(self, owner: Any, name: str, replacement: Callable[..., Any]) -> None:
        """Replace `owner.name`; the replacement is called with the original in front of its arguments."""
        original: Original = getattr(owner, name)

        @wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return replacement(original, *args, **kwargs)

        self.put(owner, name, wrapped)

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Set `owner.name`; where the owner only inherits it, taking it back deletes it."""
        self._done.append((owner, name, vars(owner).get(name, _INHERITED)))
        setattr(owner, name, value)

    def undo(self) -> None:
        while self._done:
            owner, name, before = self._done.pop()
            if before is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, before)


_INHERITED = object()
