"""Give the contract tests their hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clients import ssh
from clients.local import LocalTransport
from tests.contract import reachable
from tests.contract.reachable import Reachable, SshHost

_NEEDS_SSHD = pytest.mark.skipif(bool(reachable.openssh_missing()), reason=reachable.openssh_missing())
_SSH_KINDS = ("asyncssh", pytest.param("openssh", marks=_NEEDS_SSHD))


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


@pytest.fixture(params=_SSH_KINDS)
def ssh_host(request: pytest.FixtureRequest, ssh_hosts: dict[str, SshHost]) -> SshHost:
    """One SSH server after the other."""
    return ssh_hosts[request.param]


@pytest.fixture(params=("memory", "local", *_SSH_KINDS))
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Reachable:
    """One host after the other, whatever reaches it."""
    if request.param == "memory":
        memory = reachable.memory_host()
        return Reachable(memory.connect, memory.lose)
    if request.param == "local":
        transport = LocalTransport(tmp_path)
        return Reachable(lambda: transport, transport.close)  # this machine is lost only with its connection
    found: SshHost = request.getfixturevalue("ssh_hosts")[request.param]
    return Reachable(lambda: ssh.connect(found.address), found.lose)
