"""Everything the canary tries is stopped where walls are strong, and what is not is told where they are weak."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clients.local import LocalTransport
from contracts.work import Containment, HostAddress, HostLayout
from runner import canary
from runner.canary import Outcome, Place, Report, Targets, Wanted
from runner.scoring.bundle import DATA, KIT, Bundle
from runner.stages.tar_reader import Limits
from tests.integration.runner.ways import Way, way

__all__ = ["way"]

# nobody outside of this machine is asked for anything: its own address stands for the world's
OWN_ADDRESS = Targets(metadata="127.0.0.9", outside="{address}", resolvers=("{address}#{port}",))
FEW = Limits(members=1000)
_USER = 1000
NETWORK = frozenset({"tcp", "udp", "dns", "beside"})
WITHOUT_WALLS = frozenset(
    {
        *("labels", "other-submission", "home", "keys", "supervisor-files", "record", "kit"),
        *("loopback", "abstract-socket", "file-sockets", "keyring", "signals", "traced", "looked-into"),
        *("left-files", "left-memory", "hard-link", "setuid-made"),
    }
)
"""What a process group is let do anywhere."""
PERHAPS = frozenset({"user-data", "logs", "families", "namespaces", "devices", "kernel", "environment"}) | NETWORK
"""What else it is let do where the machine has such a thing."""


class Entering(LocalTransport):
    """This machine as a way has it: every command by its user in its namespaces, every job contained by it."""

    def __init__(self, way: Way, home: Path) -> None:
        super().__init__(home)
        self._way = way

    def _started(self, argv: Sequence[str], chunks: Iterable[bytes], timeout_s: float | None) -> Any:
        words = list(argv)
        if "launch" in words:
            at = words.index("launch") + 2
            words[at:at] = ["--containment", self._way.name]
        return super()._started((*self._way.enter, *words), chunks, timeout_s)


@pytest.fixture
def entered(way: Way) -> Iterator[Way]:
    """The way, for which nobody who logs in is root where there is nothing else between a job and the machine."""
    if way.has_walls or os.geteuid() != 0:
        yield way
        return
    if shutil.which("setpriv") is None or not Path("/usr/bin/python3").exists():
        pytest.skip("as root it needs setpriv, and a Python for another user")
    folder = Path(tempfile.mkdtemp(prefix="rampart-jobs-", dir="/var/tmp"))
    folder.chmod(0o755)
    enter = ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups", "--")
    yield replace(way, enter=enter, python="/usr/bin/python3", folder=folder, owner=_USER)
    shutil.rmtree(folder)


@pytest.fixture
def place(entered: Way) -> Place:
    """A home of the login user's with a kit in it."""
    home = entered.job_folder()
    for folder in ("kit/data", ".ssh"):
        (home / folder).mkdir(parents=True)
    (home / "kit" / "problem.py").touch()
    for path in (home, *home.rglob("*")):
        os.chown(path, entered.owner, entered.owner)
    is_ours = entered.name == "systemd"  # a user is made in the booted machine, and on no other
    layout = HostLayout(str(home / "kit"), str(home / "kit"), entered.python, "/no/ramp-test", is_ours=is_ours)
    return Place(HostAddress("this-machine", "localhost", "me"), layout)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    for name in (DATA, f"{KIT}/problem.py"):
        (tmp_path / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bundle" / name).touch()
    return Bundle("labels", tmp_path / "bundle")


@pytest.fixture
def report(entered: Way, place: Place, bundle: Bundle) -> Report:
    transport = Entering(entered, Path(place.layout.kit_dir).parent)
    wanted = Wanted("iris", bundle, targets=OWN_ADDRESS, many_files=FEW.members + 1, taken=FEW)
    return canary.run(place, transport, wanted, now=lambda: datetime.now(UTC))


def test_strong_walls_stop_everything_and_weak_ones_are_told_as_such(report: Report, place: Place, way: Way) -> None:
    table = "\n".join(f"{one.attempt.name:18} {one.outcome:18} {one.by}" for one in report.results)
    assert report.containment is Containment(way.name)
    not_stopped = set(report.not_stopped)
    if way.has_walls:
        assert not_stopped == set(), table
    else:
        assert not_stopped >= WITHOUT_WALLS, table
        assert not_stopped <= WITHOUT_WALLS | PERHAPS, table
    assert report.stopped >= 20, table
    not_possible = {one.attempt.name for one in report.results if one.outcome is Outcome.NOT_POSSIBLE}
    assert not_possible <= {"metadata", "metadata-token", "user-data", "logs", "keyring", *NETWORK}, table
    home = Path(place.layout.kit_dir).parent
    assert sorted(path.name for path in home.rglob("*") if path.is_file()) == ["problem.py"]
