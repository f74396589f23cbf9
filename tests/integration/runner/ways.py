"""Every way a job can be contained, as far as this machine allows, for tests whose one body runs over all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.runner import systemd_machine
from tests.integration.runner.systemd_machine import SystemdMachine

NAMES = ("process-group", "user-namespace", "namespaces", "systemd")
USER = 1000


@dataclass(frozen=True, slots=True)
class Way:
    """One containment: what stands before a command line for it, the Python to run, a folder for jobs' folders."""

    name: str
    enter: tuple[str, ...]
    python: str
    folder: Path
    owner: int

    @property
    def has_walls(self) -> bool:
        return self.name != "process-group"

    @property
    def asked(self) -> tuple[str, ...]:
        """The options that ask for it: a user is made on the machine in the machine, on no other."""
        return ("--containment", self.name, *(("--add-user",) if self.name == "systemd" else ()))

    def job_folder(self) -> Path:
        """A new folder that a job may be pushed to."""
        made = Path(tempfile.mkdtemp(dir=self.folder))
        os.chown(made, self.owner, self.owner)
        return made


@pytest.fixture(scope="module", params=NAMES)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    """Each way in turn; one that this machine does not allow is skipped, and says why."""
    name: str = request.param
    root = os.geteuid() == 0
    if sys.platform != "linux" and name != "process-group":
        pytest.skip(f"{name}: needs Linux")
    if name in ("process-group", "namespaces"):
        if name == "namespaces":
            skip_unless(root, "namespaces: needs root")
            skip_where_refused(name, ())
        yield Way(name, (), sys.executable, tmp_path_factory.mktemp("jobs"), os.geteuid())
        return
    # below no folder that is closed to others
    folder = Path(tempfile.mkdtemp(prefix="rampart-jobs-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        if name == "user-namespace":
            yield user_namespace(folder, root=root)
        else:
            yield from _systemd(folder)
    finally:
        shutil.rmtree(folder)


def skip_unless(is_so: bool, reason: str) -> None:
    if not is_so:
        pytest.skip(reason)


def skip_where_refused(name: str, enter: tuple[str, ...], *own_user: str) -> None:
    """What the system's own program may not do here, nothing can; what it may do, ours must."""
    kinds = ("--mount", "--pid", "--net", "--ipc", "--uts", "--fork")
    done = subprocess.run([*enter, "unshare", *own_user, *kinds, "true"], capture_output=True, text=True, check=False)
    skip_unless(done.returncode == 0, f"{name}: {done.stderr.strip()}")


def user_namespace(folder: Path, *, root: bool) -> Way:
    own_user = ("--user", "--map-root-user")
    if not root:
        skip_where_refused("user-namespace", (), *own_user)
        return Way("user-namespace", (), sys.executable, folder, os.geteuid())
    python = "/usr/bin/python3"
    if shutil.which("setpriv") is None or not Path(python).exists():
        pytest.skip(f"user-namespace: as root it needs setpriv, and {python} for another user")
    enter = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--")
    skip_where_refused("user-namespace", enter, *own_user)
    return Way("user-namespace", enter, python, folder, USER)


def _systemd(folder: Path) -> Iterator[Way]:
    reason = systemd_machine.why_not()
    if reason:
        pytest.skip(f"systemd: {reason}")
    jobs = folder / "jobs"
    jobs.mkdir()
    try:
        machine = SystemdMachine(folder / "machine", jobs)
    except OSError as error:
        pytest.skip(f"systemd: {error}")
    try:
        yield Way("systemd", machine.enter, sys.executable, jobs, os.geteuid())
    finally:
        machine.close()
