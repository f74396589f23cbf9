"""A supervised job ends as it should, leaves one record and no process, whatever its code does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.work import HostLayout, Work
from runner import commands
from runner.job.pushed import SUPERVISOR
from runner.job.supervisor import verbs
from tests.integration.runner.pushed_files import install
from tests.integration.runner.ways import Way, way

__all__ = ["way"]

MIB = 1024 * 1024

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: /proc, a child subreaper")


class Job:
    """One job folder with a Python program as the job, contained in one way."""

    def __init__(self, way: Way, folder: Path, program: str) -> None:
        self.way = way
        self.folder = folder
        self.token = f"escaped-{uuid.uuid4().hex}"
        install(folder)
        self.program = folder / "submissions" / "program.py"
        self.program.parent.mkdir()
        self.program.write_text(program.replace("TOKEN", self.token))
        for path in (folder, *folder.rglob("*")):
            os.chown(path, way.owner, way.owner)

    @property
    def supervise(self) -> tuple[str, ...]:
        return (*self.way.enter, self.way.python, "-I", "-B", str(self.folder / SUPERVISOR))

    def launch(self, *, timeout_s: float = 20, options: tuple[str, ...] = (), argv: tuple[str, ...] = ()) -> int:
        limits = ("--timeout-s", str(timeout_s), *self.way.asked, *options)
        program = argv or (self.way.python, str(self.program))
        words = (*self.supervise, "launch", str(self.folder), *limits, "--", *program)
        environment = {"AWS_SECRET_ACCESS_KEY": "ours", "PATH": os.environ["PATH"]}
        return subprocess.run(words, check=False, timeout=20, env=environment).returncode

    def wait(self) -> dict[str, Any]:
        argv = (*self.supervise, "wait", str(self.folder))
        done = subprocess.run(argv, check=True, timeout=30, stdout=subprocess.PIPE)
        record: dict[str, Any] = json.loads(done.stdout)
        return record

    def ended(self, **limits: Any) -> dict[str, Any]:
        assert self.launch(**limits) == 0
        return self.wait()

    def kill(self) -> int:
        return subprocess.run((*self.supervise, "kill", str(self.folder)), check=False, timeout=30).returncode

    @property
    def log(self) -> bytes:
        return (self.folder / "log").read_bytes()

    def escaped(self) -> list[int]:
        """The processes that bear the program's token for their name, as this machine numbers them."""
        return [
            pid
            for pid in map(int, filter(str.isdigit, (one.name for one in Path("/proc").iterdir())))
            if self.token in _name(pid)
        ]

    def await_escaped(self, count: int) -> list[int]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if len(found := self.escaped()) == count:
                return found
            os.sched_yield()
        raise AssertionError(f"the job did not come up: {self.log.decode()}")


@pytest.fixture
def job(way: Way) -> Iterator[Callable[[str], Job]]:
    made: list[Job] = []

    def make(program: str) -> Job:
        made.append(Job(way, way.job_folder(), program))
        return made[-1]

    yield make
    for each in made:
        each.kill()


ESCAPE = """
import os, signal, sys, time
def child(how):
    if os.fork():
        return
    if how == "setsid":
        os.setsid()
    if how == "twice":
        os.setsid()
        if os.fork():
            os._exit(0)
    if how == "ignores":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execve("/bin/sleep", ["TOKEN-" + how, "60"], {} if how == "env -i" else os.environ)
for how in ("ignores", "setsid", "twice", "env -i"):
    child(how)
def comes(name):
    try:
        return open(f"/proc/{name}/cmdline").read().startswith("TOKEN")
    except OSError:
        return False
while sum(map(comes, filter(str.isdigit, os.listdir("/proc")))) < 4:
    pass
"""


def test_an_honest_job_leaves_its_code_its_output_and_its_figures(job: Callable[[str], Job]) -> None:
    honest = job(
        "import sys; print('hello'); print('oops', file=sys.stderr); x = bytearray(50 << 20)\n"
        "import time; time.sleep(0.5); sys.exit(3)"
    )
    record = honest.ended()
    assert (record["end"], record["code"], record["output_bytes"]) == ("exited", 3, 11)
    assert record["containment"] == honest.way.name
    assert honest.log == b"hello\noops\n"
    assert record["peak_memory_bytes"] > 50 * MIB
    assert 0 < record["cpu_time_s"] < 5
    assert record["wall_time_s"] < 60


@linux_only
def test_a_job_knows_nothing_of_our_environment(job: Callable[[str], Job]) -> None:
    nosy = job("import os, sys; print(sorted(os.environ), repr(sys.stdin.read()), len(os.listdir('/proc/self/fd')))")
    assert nosy.ended(options=("--n-threads", "1"))["code"] == 0
    assert b"AWS" not in nosy.log
    assert b"'OMP_NUM_THREADS'" in nosy.log
    assert b" '' 4\n" in nosy.log  # stdin is empty; no descriptor but 0, 1, 2 and the listing's own


def test_a_second_launch_is_refused_while_it_runs_and_after(job: Callable[[str], Job]) -> None:
    once = job("print('ran')")
    assert once.launch() == 0
    assert once.launch() == verbs.ALREADY_LAUNCHED
    once.wait()
    assert once.launch() == verbs.ALREADY_LAUNCHED
    assert once.log == b"ran\n"


def test_a_job_past_its_time_is_ended_and_says_where_it_stood(job: Callable[[str], Job]) -> None:
    endless = job("import time\ndef never_ends():\n    time.sleep(60)\nnever_ends()\n")
    record = endless.ended(timeout_s=0.5)
    assert record["end"] == "timeout"
    assert record["wall_time_s"] >= 0.5
    assert b"in never_ends" in endless.log


def test_a_job_that_takes_too_much_memory_is_ended(job: Callable[[str], Job]) -> None:
    greedy = job("import time\nheld = []\nwhile True:\n    held.append(b'x' * (4 << 20)); time.sleep(0.002)\n")
    record = greedy.ended(options=("--memory-bytes", str(100 * MIB)))
    assert record["end"] == "out-of-memory"
    assert record["peak_memory_bytes"] >= 100 * MIB


def test_a_flood_of_output_neither_fills_the_disk_nor_blocks(job: Callable[[str], Job]) -> None:
    flood = job("for _ in range(30):\n    print('x' * (1 << 20))\n")
    record = flood.ended()
    assert (record["end"], record["code"]) == ("exited", 0)
    assert record["output_bytes"] == 30 * (MIB + 1)
    assert record["output_dropped_bytes"] + len(flood.log) >= record["output_bytes"]
    assert len(flood.log) < 2 * MIB


def test_a_signal_is_told_from_an_exit(job: Callable[[str], Job]) -> None:
    record = job("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").ended()
    assert (record["end"], record["code"]) == ("signalled", -signal.SIGSEGV)


def test_a_program_that_cannot_start_is_a_failed_job(job: Callable[[str], Job]) -> None:
    missing = job("")
    record = missing.ended(argv=("/no/ramp-test",))
    assert (record["end"], record["code"]) == ("exited", 127)
    assert b"/no/ramp-test" in missing.log


def test_nothing_a_job_started_outlives_it(job: Callable[[str], Job]) -> None:
    escaping = job(ESCAPE)
    record = escaping.ended()
    assert (record["end"], record["code"], escaping.log) == ("exited", 0, b"")
    assert [pid for pid in escaping.escaped() if _lives(pid)] == []


def test_a_kill_ends_the_job_and_leaves_its_record(job: Callable[[str], Job]) -> None:
    waiting = job(ESCAPE + "\ntime.sleep(60)")
    waiting.launch()
    pids = waiting.await_escaped(4)
    assert waiting.kill() == 0
    assert [pid for pid in pids if _lives(pid)] == []
    record = waiting.wait()
    assert (record["end"], record["code"]) == ("signalled", -signal.SIGTERM)


def test_a_supervisor_that_was_killed_is_a_lost_run_and_its_job_dies(job: Callable[[str], Job]) -> None:
    orphan = job("import os; os.execv('/bin/sleep', ['TOKEN', '60'])")
    orphan.launch()
    [pid] = orphan.await_escaped(1)
    number = (orphan.folder / "supervisor").read_text()
    subprocess.run((*orphan.way.enter, "kill", "-KILL", number), check=True, timeout=10)
    done = subprocess.run((*orphan.supervise, "wait", str(orphan.folder)), check=False, timeout=10)
    assert done.returncode == verbs.LOST
    assert not _lives(pid)


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock")
def test_waiting_for_a_job_takes_no_second_python_where_the_host_has_flock(job: Callable[[str], Job]) -> None:
    slow = job("import time; time.sleep(0.3)")
    slow.launch()
    argv = commands.wait(HostLayout("", "", "/no/python", ""), str(slow.folder))
    done = subprocess.run((*slow.way.enter, *argv), check=True, capture_output=True, timeout=10)
    assert json.loads(done.stdout)["end"] == "exited"


def test_waiting_for_a_job_takes_python_where_the_host_lacks_flock(job: Callable[[str], Job]) -> None:
    done = job("pass")
    done.launch()
    argv = commands.wait(HostLayout("", "", done.way.python, ""), str(done.folder))
    without = (*done.way.enter, "env", "PATH=/nowhere", shutil.which("sh") or "/bin/sh", *argv[1:])
    answer = subprocess.run(without, check=True, capture_output=True, timeout=10)
    assert json.loads(answer.stdout)["end"] == "exited"


class Cleaned(Job):
    """A job without walls in the folder that `commands.end` is about."""

    work = Work(1, "e", "t", "s", 1, Path("/s"), Path("/l"), Path("/p"), 20.0)

    def __init__(self, home: Path, program: str) -> None:
        folder = home / commands.job_folder(self.work)
        folder.mkdir(parents=True)
        super().__init__(Way("process-group", (), sys.executable, home, os.geteuid()), folder, program)
        self._home = home

    def end(self, python: str) -> int:
        argv = commands.end(HostLayout("", "", python, "", is_ours=False), self.work)
        environment = {"HOME": str(self._home), "PATH": os.environ["PATH"]}
        return subprocess.run(argv, check=False, timeout=30, env=environment).returncode


@linux_only
@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock")
def test_cleaning_up_behind_an_ended_job_takes_no_python(tmp_path: Path) -> None:
    done = Cleaned(tmp_path, "pass")
    done.ended()
    assert done.end("/no/python") == 0
    assert not done.folder.exists()


@linux_only
def test_cleaning_up_ends_what_outlived_a_supervisor_its_job_killed(tmp_path: Path) -> None:
    escaped = Cleaned(tmp_path, KILLS_ITS_SUPERVISOR)
    assert escaped.launch() == 0
    [pid] = escaped.await_escaped(1)
    subprocess.run((*escaped.supervise, "wait", str(escaped.folder)), check=True, timeout=10, stdout=subprocess.DEVNULL)
    assert _lives(pid)
    assert escaped.end(sys.executable) == 0
    assert not _lives(pid)
    assert not escaped.folder.exists()


# without walls a job reaches all of its folder, and its supervisor
KILLS_ITS_SUPERVISOR = """
import os, pathlib, signal, time
supervisor, folder = os.getppid(), pathlib.Path(os.environ["HOME"]).parent
if os.fork() == 0:
    os.setsid()
    (folder / "exit").write_text("{}")
    os.kill(supervisor, signal.SIGKILL)
    os.execv("/bin/sleep", ["TOKEN", "60"])
time.sleep(60)
"""


def test_a_kill_of_what_has_ended_is_fine(job: Callable[[str], Job]) -> None:
    done = job("pass")
    done.ended()
    assert (done.kill(), done.kill()) == (0, 0)


def _lives(pid: int) -> bool:
    """Whether a process still runs; one that is dead but not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0]
    except (OSError, UnicodeDecodeError):
        return ""
