"""A supervised job ends as it should, leaves one record and no process, whatever its code does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.work import HostLayout, Work
from runner import commands
from runner.job import supervise

SUPERVISE = (sys.executable, "-I", supervise.__file__)
MIB = 1024 * 1024

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: /proc, a child subreaper")


class Job:
    """One job folder with a Python program as the job."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        (folder / "program.py").write_text(program)

    def launch(self, *, timeout_s: float = 20, options: tuple[str, ...] = ()) -> int:
        limits = ("--cwd", str(self.folder), "--timeout-s", str(timeout_s), *options)
        argv = (*SUPERVISE, "launch", str(self.folder), *limits, "--", sys.executable, str(self.folder / "program.py"))
        return subprocess.run(argv, check=False, timeout=10, env={"AWS_SECRET_ACCESS_KEY": "ours"}).returncode

    def wait(self) -> dict[str, Any]:
        argv = (*SUPERVISE, "wait", str(self.folder))
        done = subprocess.run(argv, check=True, timeout=30, stdout=subprocess.PIPE)
        record: dict[str, Any] = json.loads(done.stdout)
        return record

    def ended(self, **limits: Any) -> dict[str, Any]:
        assert self.launch(**limits) == 0
        return self.wait()

    def kill(self) -> int:
        return subprocess.run((*SUPERVISE, "kill", str(self.folder)), check=False, timeout=30).returncode

    @property
    def log(self) -> bytes:
        return (self.folder / "log").read_bytes()

    def pids(self, count: int) -> list[int]:
        """The process ids the program writes to its file `pids`, once all are there."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if (self.folder / "pids").exists() and len(found := (self.folder / "pids").read_text().split()) == count:
                return [int(pid) for pid in found]
            os.sched_yield()
        raise AssertionError("the job did not come up")


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Callable[[str], Job]]:
    made: list[Job] = []

    def make(program: str) -> Job:
        made.append(Job(tmp_path, program))
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
    open("pids", "a").write(f"{os.getpid()}\\n")
    if how == "env -i":
        os.setsid()
        os.chdir("/")
        os.execve("/bin/sleep", ["sleep", "60"], {})
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
    os._exit(0)
for how in ("plain", "setsid", "twice", "env -i"):
    child(how)
while len(open("pids", "a+").read() or open("pids").read().split()) < 4:
    pass
"""


def test_an_honest_job_leaves_its_code_its_output_and_its_figures(job: Callable[[str], Job]) -> None:
    honest = job("import sys; print('hello'); print('oops', file=sys.stderr); x = bytearray(50 << 20); sys.exit(3)")
    record = honest.ended()
    assert (record["end"], record["code"], record["output_bytes"]) == ("exited", 3, 11)
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
    assert once.launch() == supervise.ALREADY_LAUNCHED
    once.wait()
    assert once.launch() == supervise.ALREADY_LAUNCHED
    assert once.log == b"ran\n"


def test_a_job_past_its_time_is_ended_and_says_where_it_stood(job: Callable[[str], Job]) -> None:
    endless = job("import time\ndef never_ends():\n    time.sleep(60)\nnever_ends()\n")
    record = endless.ended(timeout_s=0.5)
    assert record["end"] == "timeout"
    assert record["wall_time_s"] >= 0.5
    assert b"in never_ends" in endless.log


def test_a_job_that_takes_too_much_memory_is_ended(job: Callable[[str], Job]) -> None:
    greedy = job("import time\nheld = []\nwhile True:\n    held.append(b'x' * (4 << 20)); time.sleep(0.002)\n")
    record = greedy.ended(options=("--memory-limit-bytes", str(100 * MIB)))
    assert record["end"] == "out-of-memory"
    assert record["peak_memory_bytes"] > 100 * MIB


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


def test_a_program_that_cannot_start_is_a_failed_job(tmp_path: Path) -> None:
    argv = (*SUPERVISE, "launch", str(tmp_path), "--cwd", str(tmp_path), "--timeout-s", "5", "--", "/no/ramp-test")
    assert subprocess.run(argv, check=False, timeout=10).returncode == 0
    record = json.loads(subprocess.run((*SUPERVISE, "wait", str(tmp_path)), check=True, capture_output=True).stdout)
    assert (record["end"], record["code"]) == ("exited", 127)
    assert b"could not start /no/ramp-test" in (tmp_path / "log").read_bytes()


@linux_only
def test_nothing_a_job_started_outlives_it(job: Callable[[str], Job]) -> None:
    escaping = job(ESCAPE)
    record = escaping.ended()
    assert (record["end"], record["code"], escaping.log) == ("exited", 0, b"")
    assert [pid for pid in escaping.pids(4) if _lives(pid)] == []


@linux_only
def test_a_kill_ends_the_job_and_leaves_its_record(job: Callable[[str], Job]) -> None:
    waiting = job(ESCAPE + "\ntime.sleep(60)")
    waiting.launch()
    pids = waiting.pids(4)
    assert waiting.kill() == 0
    assert [pid for pid in pids if _lives(pid)] == []
    record = waiting.wait()
    assert (record["end"], record["code"]) == ("signalled", -signal.SIGTERM)


@linux_only
def test_a_supervisor_that_was_killed_is_a_lost_run_and_its_job_dies(job: Callable[[str], Job]) -> None:
    orphan = job("import os, time; open('pids', 'w').write(str(os.getpid())); time.sleep(60)")
    orphan.launch()
    [pid] = orphan.pids(1)
    os.kill(int((orphan.folder / "supervisor").read_text()), signal.SIGKILL)
    done = subprocess.run((*SUPERVISE, "wait", str(orphan.folder)), check=False, timeout=10)
    assert done.returncode == supervise.LOST
    assert not _lives(pid)


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock")
def test_waiting_for_a_job_takes_no_second_python_where_the_host_has_flock(job: Callable[[str], Job]) -> None:
    slow = job("import time; time.sleep(0.3)")
    slow.launch()
    argv = commands.wait(HostLayout("", "", "/no/python", ""), str(slow.folder))
    done = subprocess.run(argv, check=True, capture_output=True, timeout=10)
    assert json.loads(done.stdout)["end"] == "exited"


def test_waiting_for_a_job_takes_python_where_the_host_lacks_flock(job: Callable[[str], Job]) -> None:
    done = job("pass")
    (done.folder / commands.SUPERVISOR).write_bytes(Path(supervise.__file__).read_bytes())
    done.launch()
    shell = shutil.which("sh") or "/bin/sh"
    argv = commands.wait(HostLayout("", "", sys.executable, ""), str(done.folder))
    answer = subprocess.run((shell, *argv[1:]), check=True, capture_output=True, timeout=10, env={"PATH": "/nowhere"})
    assert json.loads(answer.stdout)["end"] == "exited"


class Cleaned(Job):
    """A job in the folder that `commands.end` is about."""

    work = Work(1, "e", "t", "s", 1, Path("/s"), Path("/l"), Path("/p"), 20.0)

    def __init__(self, home: Path, program: str) -> None:
        folder = home / commands.job_folder(self.work)
        folder.mkdir(parents=True)
        (folder / commands.SUPERVISOR).write_bytes(Path(supervise.__file__).read_bytes())
        super().__init__(folder, program)
        self._home = home

    def end(self, python: str) -> int:
        argv = commands.end(HostLayout("", "", python, ""), self.work)
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
    [pid] = escaped.pids(1)
    subprocess.run((*SUPERVISE, "wait", str(escaped.folder)), check=True, timeout=10, stdout=subprocess.DEVNULL)
    assert _lives(pid)
    assert escaped.end(sys.executable) == 0
    assert not _lives(pid)
    assert not escaped.folder.exists()


KILLS_ITS_SUPERVISOR = """
import os, signal, time
supervisor = os.getppid()
if os.fork() == 0:
    os.setsid()
    open("exit", "w").write("{}")
    os.kill(supervisor, signal.SIGKILL)
    open("pids", "w").write(str(os.getpid()))
    time.sleep(60)
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
