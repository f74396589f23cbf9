"""A job that takes more than it may is ended, and the cause is told; what it leaves is its folder's owner's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.job.pushed import SUPERVISOR
from tests.integration.runner.pushed_files import install
from tests.integration.runner.ways import Way, way

__all__ = ["way"]

MIB = 2**20
Run = Callable[..., tuple[dict[str, Any], Path]]

FORK_BOMB = """
import os, time
end = time.monotonic() + 10
while time.monotonic() < end:
    try:
        if os.fork() == 0:
            time.sleep(10)
            os._exit(0)
    except OSError:
        time.sleep(0.01)
"""
MANY_FILES = """
import os
for number in range(10_000):
    with open(f"{os.environ['HOME']}/{number}", "wb") as file:
        file.write(bytes(4096))
import time
time.sleep(10)
"""
TWO_FILES = "import os\nfor name in 'ab':\n    open(os.environ['HOME'] + '/' + name, 'wb').write(bytes(4 << 20))\n"
BY_A_SIGNAL = "import os, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n" + TWO_FILES


@pytest.fixture
def run(way: Way) -> Iterator[Run]:
    """Run a program to its end; gives its record and its folder."""
    folders: list[Path] = []

    def run(program: str, *options: str) -> tuple[dict[str, Any], Path]:
        folder = way.job_folder()
        folders.append(folder)
        install(folder)
        (folder / "submissions").mkdir()
        (folder / "submissions" / "program.py").write_text(program)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, way.owner, way.owner)
        supervise = (*way.enter, way.python, "-I", "-B", str(folder / SUPERVISOR))
        words = ("--timeout-s", "20", *way.asked, *options)
        job = (way.python, str(folder / "submissions" / "program.py"))
        subprocess.run((*supervise, "launch", str(folder), *words, "--", *job), check=True, timeout=20)
        done = subprocess.run((*supervise, "wait", str(folder)), check=True, timeout=30, stdout=subprocess.PIPE)
        return json.loads(done.stdout), folder

    yield run
    for folder in folders:
        supervise = (*way.enter, way.python, "-I", "-B", str(folder / SUPERVISOR))
        subprocess.run((*supervise, "kill", str(folder)), check=True, timeout=30)


def test_a_fork_bomb_is_ended_by_the_limit_of_tasks(run: Run) -> None:
    record, _ = run(FORK_BOMB, "--tasks", "30")
    assert record["end"] == "too-many-tasks"
    assert record["wall_time_s"] < 10


def test_a_file_that_grows_too_large_is_an_error_to_python_and_a_signal_to_others(run: Run) -> None:
    record, folder = run(TWO_FILES, "--file-bytes", str(MIB))
    assert (record["end"], record["code"]) == ("exited", 1)
    assert "[Errno 27]" in (folder / "log").read_text()
    record, _ = run(BY_A_SIGNAL, "--file-bytes", str(MIB))
    assert record["end"] == "file-too-large"


def test_a_job_that_writes_more_than_it_may_is_ended(run: Run) -> None:
    record, folder = run(MANY_FILES, "--disk-bytes", str(16 * MIB))
    assert record["end"] == "disk-full"
    assert not (folder / "home").exists()


LEAVES = """
import os
os.chdir(os.path.dirname(__file__))
os.mkdir("out"); os.mkdir("out/closed")
open("out/closed/file", "w").close()
os.chmod("out/closed", 0)
os.symlink("/etc/shadow", "out/link")
print(os.getuid())
"""


def test_what_a_job_leaves_belongs_to_who_pushed_it(run: Run, way: Way) -> None:
    shadow = Path("/etc/shadow").stat().st_uid
    _, folder = run(LEAVES)
    left = folder / "submissions" / "out"
    assert {path.lstat().st_uid for path in (left, *left.rglob("*"))} == {way.owner}
    assert (left / "closed" / "file").exists()
    assert Path("/etc/shadow").stat().st_uid == shadow
    if way.name in ("namespaces", "systemd"):
        assert int((folder / "log").read_text()) != way.owner


def test_strict_isolation_runs_nothing_where_there_are_no_strong_walls(run: Run, way: Way) -> None:
    record, folder = run("print('ran')", "--strict")
    if way.name in ("namespaces", "systemd"):
        assert (record["end"], record["containment"]) == ("exited", way.name)
    else:
        assert record["end"] == "not-contained"
        assert "ran" not in (folder / "log").read_text()


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/usr/bin/python3").exists(), reason="needs root, a system Python")
def test_a_root_that_supervises_a_job_without_walls_writes_nowhere_the_job_leads_it() -> None:
    place = Path(tempfile.mkdtemp(prefix="rampart-jobs-", dir="/var/tmp"))
    target = place / "roots_own"
    try:
        place.chmod(0o755)
        folder = place / "job"
        folder.mkdir(mode=0o700)
        target.mkdir(mode=0o755)
        (target / "file").touch()
        install(folder)
        (folder / "submissions").mkdir()
        (folder / "submissions" / "program.py").write_text(LEADS_ASTRAY.replace("TARGET", str(target)))
        for path in (folder, *folder.rglob("*")):
            os.chown(path, OTHER, OTHER)
        supervise = ("/usr/bin/python3", "-I", "-B", str(folder / SUPERVISOR))
        job = ("/usr/bin/python3", str(folder / "submissions" / "program.py"))
        walls = ("--containment", "process-group")
        subprocess.run((*supervise, "launch", str(folder), *walls, "--", *job), check=True, timeout=20)
        subprocess.run((*supervise, "wait", str(folder)), check=False, timeout=20, capture_output=True)
        subprocess.run((*supervise, "kill", str(folder)), check=True, timeout=20)
        assert (folder / "led").exists()
        assert {path.stat().st_uid for path in (target, *target.iterdir())} == {0}
        assert target.stat().st_mode & 0o777 == 0o755
        assert sorted(path.name for path in target.iterdir()) == ["file"]
    finally:
        shutil.rmtree(place)


OTHER = 1000
LEADS_ASTRAY = """
import os
folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(folder)
os.rename("submissions", "led")
os.symlink("TARGET", "submissions")
os.symlink("TARGET/written", "exit.new")
"""
