"""What is pushed to a machine lies there whole, for the account that runs Dask alone, or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.certificates import Authority
from contracts.dask_machines import CERTIFICATES, DaskRole, Verdict
from contracts.errors import HostUnreachable
from contracts.instance import Instance
from contracts.remote import CommandResult
from contracts.work import HostAddress
from runner.dask.certifying import Certifier
from runner.dask.machines import Addresses, DaskMachine, Login
from runner.hosts import WayIn

MACHINE = DaskMachine(
    Instance("i-1", "running", "127.0.0.1", "", "", datetime.now(UTC), private_address="127.0.0.1"), DaskRole.WORKER
)
ANY_GROUP = 54321


class Shell:
    """A machine whose folder of certificates is one of the test's, and whose systemctl notes what it is told."""

    def __init__(self, folder: Path) -> None:
        self.certificates = folder / "certificates"
        self.told = folder / "told"
        self.cut_after: int | None = None
        """So many bytes of the input come through before the connection breaks."""
        programs = folder / "bin"
        programs.mkdir()
        (programs / "systemctl").write_text(f'#!/bin/sh\necho "$*" >>{self.told}\n')
        (programs / "systemctl").chmod(0o755)
        self._environment = {"PATH": f"{programs}:{os.environ['PATH']}"}

    def connect(self, _: HostAddress) -> Shell:
        return self

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        words = [word.replace(CERTIFICATES, str(self.certificates)) for word in argv]
        done = subprocess.run(
            words,
            input=stdin[: self.cut_after],
            env=self._environment,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    def send(self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float = 600.0) -> CommandResult:
        return self.run(argv, stdin=b"".join(chunks), timeout_s=timeout_s)

    @contextmanager
    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> Iterator[Iterator[bytes]]:
        yield iter([self.run(argv, timeout_s=timeout_s).stdout])

    def close(self) -> None:
        """There is no connection."""

    def files(self) -> dict[str, str]:
        return {each.name: each.read_text() for each in self.certificates.iterdir()}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    authority = Authority(tmp_path / "authority", stack="iris", now=lambda: datetime.now(UTC))
    authority.renew()
    return authority


@pytest.fixture
def certifier(shell: Shell, authority: Authority) -> Certifier:
    login = Login("root", Path("/key"), WayIn())
    return Certifier(
        lambda: [MACHINE], authority, addresses=Addresses(login, lambda _: "ssh-ed25519 AAAA"), connect=shell.connect
    )


def booted(shell: Shell) -> None:
    """Make the folder as the user data does; its group is Dask's where we may choose it."""
    shell.certificates.mkdir(mode=0o750)
    if os.geteuid() == 0:
        os.chown(shell.certificates, 0, ANY_GROUP)
    shell.certificates.chmod(0o2750)


def test_three_files_that_the_group_of_their_folder_may_read(
    certifier: Certifier, shell: Shell, authority: Authority
) -> None:
    booted(shell)
    certifier.ensure(MACHINE)
    files = shell.files()
    assert sorted(files) == ["ca.pem", "worker-key.pem", "worker.pem"]
    assert files["ca.pem"] == authority.client().authority.read_text()
    assert authority.judge(files["worker.pem"], DaskRole.WORKER, "i-1") is Verdict.CURRENT
    assert files["worker-key.pem"].startswith("-----BEGIN PRIVATE KEY-----\n")
    group = shell.certificates.stat().st_gid
    for each in shell.certificates.iterdir():
        assert (stat.S_IMODE(each.stat().st_mode), each.stat().st_gid) == (0o640, group)
    assert not shell.told.exists()


def test_what_is_there_and_current_stays(certifier: Certifier, shell: Shell, authority: Authority) -> None:
    booted(shell)
    certifier.ensure(MACHINE)
    before = shell.files()
    login = Login("root", Path("/key"), WayIn())
    anew = Certifier(lambda: [], authority, addresses=Addresses(login, lambda _: "key"), connect=shell.connect)
    anew.ensure(MACHINE)
    assert shell.files() == before
    assert not shell.told.exists()


def test_what_is_there_and_outdated_is_replaced_and_dask_started_anew(
    certifier: Certifier, shell: Shell, authority: Authority
) -> None:
    booted(shell)
    certifier.ensure(MACHINE)
    before = shell.files()
    authority.renew(rotate=True)
    certifier.ensure(MACHINE)
    after = shell.files()
    assert [name for name in after if after[name] == before[name]] == []
    assert shell.told.read_text() == "--no-block restart rampart-dask-worker.service\n"


@pytest.mark.parametrize("cut_after", [0, 10, 1200, -3])
def test_a_push_that_breaks_off_leaves_what_was_there(
    certifier: Certifier, shell: Shell, authority: Authority, cut_after: int
) -> None:
    booted(shell)
    certifier.ensure(MACHINE)
    before = shell.files()
    authority.renew(rotate=True)
    shell.cut_after = cut_after
    with pytest.raises(HostUnreachable, match="exit code 74"):
        certifier.ensure(MACHINE)
    assert shell.files() == before
    shell.cut_after = None
    certifier.ensure(MACHINE)
    assert shell.files() != before


def test_a_machine_that_has_no_place_for_them_yet_is_asked_later(certifier: Certifier, shell: Shell) -> None:
    with pytest.raises(HostUnreachable, match=r"no folder .* yet: it boots"):
        certifier.ensure(MACHINE)
    booted(shell)
    certifier.ensure(MACHINE)
    assert len(shell.files()) == 3
