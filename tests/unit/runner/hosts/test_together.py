"""What many threads ask for at the same time is done in one go, and each is told what came of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from runner.hosts.together import Together


class Work:
    """Doubles numbers; the first call waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, asked: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(asked))
        self.begun.set()
        assert self.go_on.wait(30)
        return [ValueError(f"{one} is odd") if one % 2 else 2 * one for one in asked]


def test_what_is_asked_while_a_call_is_under_way_goes_into_the_next_one() -> None:
    work = Work()
    together = Together(work, gather_s=0.0, most=100)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(together.ask, 2)
        assert work.begun.wait(30)
        others = [pool.submit(together.ask, one) for one in (4, 6, 8)]
        while len(together._waiting) < 3:  # they are in line, or about to be
            threading.Event().wait(0.001)
        work.go_on.set()
        assert [first.result(30), *(one.result(30) for one in others)] == [4, 8, 12, 16]
    assert [sorted(batch) for batch in work.batches] == [[2], [4, 6, 8]]


def test_an_error_is_raised_where_it_was_asked_for_and_nowhere_else() -> None:
    work = Work()
    work.go_on.set()
    together = Together(work, gather_s=0.0, most=100)
    with pytest.raises(ValueError, match="3 is odd"):
        together.ask(3)
    assert together.ask(4) == 8


def test_a_batch_has_a_most_and_nobody_is_forgotten() -> None:
    work = Work()
    together = Together(work, gather_s=0.0, most=2)
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(together.ask, 2 * one) for one in range(6)]
        while len(together._waiting) < 4:
            threading.Event().wait(0.001)
        work.go_on.set()
        assert [one.result(30) for one in answers] == [4 * one for one in range(6)]
    assert max(map(len, work.batches)) == 2


def test_those_who_come_within_the_gathering_time_go_along() -> None:
    work = Work()
    work.go_on.set()
    together = Together(work, gather_s=30.0, most=2)  # full at two: nobody waits for the time to pass
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(together.ask, (2, 4))) == [4, 8]
    assert len(work.batches) == 1


def test_whoever_leads_and_is_ended_leaves_nobody_waiting() -> None:
    def die(_: Sequence[int]) -> list[int | Exception]:
        raise KeyboardInterrupt

    together = Together(die, gather_s=0.0, most=10)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            together.ask(1)
