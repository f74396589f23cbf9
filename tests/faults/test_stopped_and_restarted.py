"""What a dispatcher left on this machine is gone on with at once, whichever way it went."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.work import claimed_of
from runner import process_name
from runner.store import SqlStore
from tests import filled_database
from tests.contract import store_fixtures
from tests.contract.store_fixtures import Bench

HOLD = """
import sys
from pathlib import Path
from runner import process_name
from runner.store import SqlStore
from tests.contract.store_fixtures import Clock, event_in

folder, url = Path(sys.argv[1]), sys.argv[2]
store = SqlStore(url, event_in(folder, url), Clock(), owner=process_name.own_name(), lease_s=3600)
print(len(store.claim("iris", 5)), flush=True)
input()
"""


@contextmanager
def holding(bench: Bench, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has claimed all there is, for an hour."""
    url = bench.event.database_url.get_secret_value()
    argv = [sys.executable, "-c", HOLD, str(folder), url]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "2\n"
            yield child
        finally:
            child.kill()


def test_the_leases_of_a_killed_dispatcher_end_with_it(tmp_path: Path) -> None:
    if process_name.own_name().endswith("::"):
        pytest.skip("this system has no /proc")
    url = filled_database.place(tmp_path / "event.db")
    with store_fixtures.sql_bench(tmp_path, url) as bench:
        bench.submit("one")
        bench.submit("two")
        own = process_name.own_name()
        mine = SqlStore(url, bench.event, bench.clock, owner=own, is_dead=process_name.is_dead)
        with holding(bench, tmp_path) as other:
            assert mine.adopt("iris", 5) == []
            other.kill()
            other.wait()
            adopted = mine.adopt("iris", 5)
        assert [claimed_of(one.value).work.submission for one in adopted] == ["one", "two"]
        mine.close()
