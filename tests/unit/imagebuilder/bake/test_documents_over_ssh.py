"""Documents on a rented machine end in their time, or the connection does."""

from __future__ import annotations

import threading

import pytest

from contracts.errors import CommandFailed, CommandTimedOut, HostUnreachable
from imagebuilder.bake import documents


def test_when_the_time_is_up_the_connection_is_cut_and_that_is_told() -> None:
    is_cut = threading.Event()

    def wait_on_the_connection() -> None:
        with documents._within(0.01, is_cut.set):
            assert is_cut.wait(10)
            raise HostUnreachable("the connection was closed")

    with pytest.raises(CommandTimedOut, match="not done within 0 s"):
        wait_on_the_connection()


def test_what_fails_in_time_is_told_as_it_is() -> None:
    cuts: list[str] = []
    with pytest.raises(CommandFailed), documents._within(60, lambda: cuts.append("cut")):
        raise CommandFailed("exit code 3", exit_code=3)
    assert cuts == []
