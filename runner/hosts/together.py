"""Carry out in one go what many threads ask for at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

A = TypeVar("A")
B = TypeVar("B")
_GATHERINGS = 20  # others that keep coming do not hold up the first for ever


class _Wish(Generic[A, B]):
    """What one thread asks for, with what came of it."""

    def __init__(self, asked: A) -> None:
        self.asked = asked
        self.answers: list[B] = []
        self.error: BaseException | None = None

    @property
    def is_met(self) -> bool:
        return bool(self.answers) or self.error is not None

    def answer(self) -> B:
        if self.error is not None:
            raise self.error
        return self.answers[0]


class Together(Generic[A, B]):
    """Calls `do` with what is asked while it is not at work: what is asked meanwhile goes into its next call.

    `do` gives for each wish, in their order, an answer or the error to be raised where it was asked. It runs in one of
    the asking threads, which first waits `gather_s` for another wish, and once more for each that comes.
    """

    def __init__(self, do: Callable[[Sequence[A]], Sequence[B | Exception]], *, gather_s: float, most: int) -> None:
        self._do = do
        self._gather_s = gather_s
        self._most = most
        self._waiting: list[_Wish[A, B]] = []
        self._is_busy = False
        self._changed = threading.Condition()

    def ask(self, asked: A) -> B:
        """Have it done with the others'; raises what `do` gave for it, or raised."""
        wish: _Wish[A, B] = _Wish(asked)
        with self._changed:
            self._waiting.append(wish)
            self._changed.notify_all()
        while self._is_my_turn(wish):
            self._lead()
        return wish.answer()

    def _is_my_turn(self, wish: _Wish[A, B]) -> bool:
        """Wait until the wish is met, or until nobody else is left to do it."""
        with self._changed:
            self._changed.wait_for(lambda: wish.is_met or not self._is_busy)
            if wish.is_met:
                return False
            self._is_busy = True
            return True

    def _lead(self) -> None:
        batch = self._gathered()
        try:
            answers = self._do([wish.asked for wish in batch])
            for wish, answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    wish.error = answer
                else:
                    wish.answers.append(answer)
        except BaseException as error:
            for wish in batch:
                wish.error = error
        finally:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _gathered(self) -> list[_Wish[A, B]]:
        with self._changed:
            for _ in range(_GATHERINGS):
                before = len(self._waiting)
                if before >= self._most or self._gather_s <= 0:
                    break
                self._changed.wait_for(lambda known=before: len(self._waiting) > known, self._gather_s)  # type: ignore[misc]
                if len(self._waiting) == before:
                    break
            batch = self._waiting[: self._most]
            del self._waiting[: self._most]
            return batch
