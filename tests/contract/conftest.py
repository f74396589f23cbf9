"""Give the contract tests their hosts and their databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
import sqlalchemy

from clients import ssh
from clients.dask.door import Door
from clients.local import LocalTransport
from runner.ports import Transport
from tests import filled_database
from tests.contract import reachable, store_fixtures
from tests.contract.reachable import Reachable, SshHost
from tests.contract.store_fixtures import Bench, OpenDatabase
from tests.dask_cluster import dask_cluster

_NEEDS_SSHD = pytest.mark.skipif(bool(reachable.openssh_missing()), reason=reachable.openssh_missing())
_SSH_KINDS = ("asyncssh", pytest.param("openssh", marks=_NEEDS_SSHD))
_BEHIND = ("behind asyncssh", pytest.param("behind openssh", marks=_NEEDS_SSHD))
_PROGRAMS = store_fixtures.postgresql_programs()
_NUMBERS = itertools.count(1)
_SQL = ("sqlite", pytest.param("postgresql", marks=store_fixtures.NEEDS_POSTGRESQL))


@pytest.fixture(scope="session")
def ssh_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, SshHost]]:
    """Every SSH server there is here, by kind; started once."""
    with reachable.asyncssh_host(tmp_path_factory.mktemp("asyncssh")) as first:
        hosts = {"asyncssh": first}
        if reachable.openssh_missing():
            yield hosts
            return
        with reachable.openssh_host(tmp_path_factory.mktemp("openssh")) as second:
            yield hosts | {"openssh": second}


@pytest.fixture(scope="session")
def inner_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    """One more SSH server, for the others to stand in front of."""
    with reachable.asyncssh_host(tmp_path_factory.mktemp("inner")) as host:
        yield host


@pytest.fixture(scope="module")
def dask_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reachable]:
    """The machine of a Dask worker; started once, and not kept for long: a cluster works while it waits."""
    with dask_cluster(tmp_path_factory.mktemp("dask"), workers=1) as cluster:
        doors = [Door(cluster.scheduler)]
        machine = doors[0].hold("contract", 600).result(60)

        def connect() -> Transport:
            if not doors[-1].is_open:
                doors.append(Door(cluster.scheduler))
            return doors[-1].transport(machine)

        yield Reachable(connect, lambda: doors[-1].close())
        doors[-1].close()


@pytest.fixture(params=_SSH_KINDS)
def ssh_host(request: pytest.FixtureRequest, ssh_hosts: dict[str, SshHost]) -> SshHost:
    """One SSH server after the other."""
    return ssh_hosts[request.param]


@pytest.fixture(params=("memory", "local", *_SSH_KINDS, *_BEHIND, "tunnel", "dask"))
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Reachable:
    """One host after the other, whatever reaches it."""
    if request.param == "memory":
        memory = reachable.memory_host()
        return Reachable(memory.connect, memory.lose)
    if request.param == "local":
        transport = LocalTransport(tmp_path)
        return Reachable(lambda: transport, transport.close)  # this machine is lost only with its connection
    if request.param == "dask":
        worker: Reachable = request.getfixturevalue("dask_worker")
        return worker
    way, _, kind = request.param.rpartition(" ")
    if kind == "tunnel":
        inner: SshHost = request.getfixturevalue("inner_host")
        address = reachable.tunnelled(inner.address, tmp_path)
        return Reachable(lambda: ssh.connect(address), inner.lose)
    found: SshHost = request.getfixturevalue("ssh_hosts")[kind]
    if way == "behind":
        inner = request.getfixturevalue("inner_host")
        return Reachable(lambda: ssh.connect(reachable.behind(inner.address, found.address)), found.lose)
    return Reachable(lambda: ssh.connect(found.address), found.lose)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Callable[[], sqlalchemy.URL]]:
    """Give a PostgreSQL server with a database `filled` to copy, started by the first test that asks for it."""
    with ExitStack() as stack:

        @cache
        def server() -> sqlalchemy.URL:
            assert _PROGRAMS is not None
            url = stack.enter_context(store_fixtures.postgresql_server(_PROGRAMS))
            store_fixtures.make_tables(store_fixtures.new_postgresql_database(url, "filled"))
            return url

        yield server


@pytest.fixture
def open_database(postgresql: Callable[[], sqlalchemy.URL], tmp_path: Path) -> OpenDatabase:
    """Make a database of a kind, with its tables."""

    def open_it(kind: str) -> str:
        if kind == "postgresql":
            name = f"test{next(_NUMBERS)}"
            return store_fixtures.new_postgresql_database(postgresql(), name, template="filled")
        return filled_database.place(tmp_path / "database" / "event.db")

    return open_it


@pytest.fixture(params=("memory", *_SQL))
def bench(request: pytest.FixtureRequest, tmp_path: Path, open_database: OpenDatabase) -> Iterator[Bench]:
    """One store after the other, with the event iris."""
    if request.param == "memory":
        with store_fixtures.memory_bench(tmp_path) as bench:
            yield bench
    else:
        with store_fixtures.sql_bench(tmp_path, open_database(request.param)) as bench:
            yield bench


@pytest.fixture(params=_SQL)
def sql(request: pytest.FixtureRequest, tmp_path: Path, open_database: OpenDatabase) -> Iterator[Bench]:
    """One database after the other, with the event iris."""
    with store_fixtures.sql_bench(tmp_path, open_database(request.param)) as bench:
        yield bench
