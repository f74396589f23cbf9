"""A walled process computes and speaks to one address; whatever code comes to run in it, there is nothing to gain."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from runner.dask import walls
from tests.integration.runner import ways

REPOSITORY = Path(__file__).resolve().parents[4]
NAMES = ("user-namespace", "namespaces")
SECRET = "the organiser's own"
SECRETS = (
    ".aws/credentials",
    ".ssh/id_ed25519",
    "deployment/.rampart/iris/id_ed25519",
    "deployment/.rampart/rampart.db",
)
ALL_BYTES = bytes(range(256)) * 1024

PARENT = """
import subprocess, sys
from pathlib import Path
root, shown, port, program, *words = sys.argv[1:]
sys.path.insert(0, root)
from runner.dask.walls import walled
argv = [sys.executable, "-I", "-c", program, *words]
child = walled(argv, shown=[Path(shown)], reaches=("127.0.0.1", int(port)))
sys.exit(subprocess.run(child, check=False).returncode)
"""

ATTEMPTS = """
import ctypes, json, os, shutil, socket, subprocess, sys
from pathlib import Path
parent, other_port, home, shown, *secrets = sys.argv[1:]
parent, other_port = int(parent), int(other_port)

def outcome(attempt):
    try:
        return str(attempt())
    except (OSError, subprocess.SubprocessError) as error:
        return type(error).__name__

def connected(host, port):
    with socket.create_connection((host, port), timeout=5):
        return "connected"

def traced():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(16, parent, None, None) == 0:
        return "attached"
    raise OSError(ctypes.get_errno(), "ptrace")

def asked():
    host, port = os.environ["RAMPART_REACHES"].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"who is there")
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile().read()

status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "secrets": [outcome(Path(path).read_text) for path in secrets],
    "shadow": outcome(Path("/etc/shadow").read_text),
    "home": outcome(lambda: os.listdir(home)),
    "var": outcome(lambda: os.listdir("/var")),
    "parent": [
        outcome(Path(f"/proc/{parent}/environ").read_bytes),
        outcome(lambda: os.kill(parent, 0)),
        outcome(traced),
    ],
    "first": outcome(Path("/proc/1/environ").read_bytes),
    "processes": sum(name.isdigit() for name in os.listdir("/proc")),
    "sudo": outcome(lambda: subprocess.run(["sudo", "-n", "true"], check=True, stdout=2)),
    "namespace": outcome(lambda: subprocess.run(["unshare", "--user", "true"], check=True, stdout=2)),
    "rights": [status[name].strip() for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")],
    "other port": outcome(lambda: connected("127.0.0.1", other_port)),
    "metadata service": outcome(lambda: connected("169.254.169.254", 80)),
    "reached": outcome(asked),
    "shown": outcome(Path(shown, "here").read_text),
    "written": [
        outcome(lambda: Path(place, "made").write_text("1")) for place in (shown, "/usr", "/etc", home, "/tmp")
    ],
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "files": [name for name in os.listdir("/proc/self/fd") if int(name) > 2],
}), flush=True)
sys.stdout.buffer.write(sys.stdin.buffer.read())
sys.stdout.flush()
sys.exit(7)
"""

LINGERS = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
print("up", flush=True)
while True:
    signal.pause()
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """One way to walls: what stands before a command line for it, the Python to run, a deployment with secrets."""

    enter: tuple[str, ...]
    python: str
    home: Path
    listener: socket.socket
    other: socket.socket

    @property
    def shown(self) -> Path:
        return self.home / "deployment" / "shown"

    def start(self, program: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a parent whose child is the program, walled."""
        port = str(self.listener.getsockname()[1])
        argv = (*self.enter, self.python, "-I", "-B", "-c", PARENT, str(REPOSITORY), str(self.shown), port, program)
        environment = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": SECRET, "HOME": str(self.home)}
        return subprocess.Popen((*argv, *words), env=environment, stdin=-1, stdout=-1, stderr=-1)


@pytest.fixture(scope="module", params=NAMES)
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    """Each way in turn; one that this machine does not allow is skipped, and says why."""
    name: str = request.param
    is_root = os.geteuid() == 0
    if sys.platform != "linux":
        pytest.skip(f"{name}: needs Linux")
    home = Path(tempfile.mkdtemp(prefix="rampart-walls-", dir="/var/tmp"))
    try:
        if name == "namespaces":
            ways.skip_unless(is_root, "namespaces: needs root")
            ways.skip_where_refused(name, ())
            enter: tuple[str, ...] = ()
            python = sys.executable
        else:
            way = ways.user_namespace(home, root=is_root)
            enter, python = way.enter, way.python
            reads = (
                *enter,
                python,
                "-c",
                "import os, sys; sys.exit(not os.access(sys.argv[1], os.R_OK))",
                str(REPOSITORY),
            )
            ways.skip_unless(
                subprocess.run(reads, check=False).returncode == 0, f"{name}: our code is out of its sight"
            )
        for secret in (*SECRETS, "deployment/shown/here"):
            (home / secret).parent.mkdir(parents=True, exist_ok=True)
            (home / secret).write_text(SECRET)
        if enter:
            for path in (home, *home.rglob("*")):
                os.chown(path, ways.USER, ways.USER)
        home.chmod(0o755)
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other:
            yield Ground(enter, python, home, listener, other)
    finally:
        shutil.rmtree(home)


@pytest.fixture(scope="module")
def seen(ground: Ground) -> dict[str, Any]:
    """What came of every attempt that a walled program made, in one run."""
    secrets = [str(ground.home / name) for name in SECRETS]
    words = (str(os.getpid()), str(ground.other.getsockname()[1]), str(ground.home), str(ground.shown), *secrets)
    with ground.start(ATTEMPTS, *words) as parent:
        try:
            ground.listener.settimeout(20)
            connection, _ = ground.listener.accept()
            with connection, connection.makefile("rb") as asked:
                connection.sendall(b"we are, who asked " + asked.read())
            out, err = parent.communicate(ALL_BYTES, timeout=20)
        finally:
            parent.kill()
    said, _, echoed = out.partition(b"\n")
    found: dict[str, Any] = json.loads(said)
    return {**found, "echoed": echoed, "exit code": parent.returncode, "err": err.decode()}


def test_files_of_the_organisers_are_out_of_sight(seen: dict[str, Any]) -> None:
    assert seen["secrets"] == ["FileNotFoundError"] * len(SECRETS)
    assert seen["shadow"] == "FileNotFoundError"
    assert seen["home"] == "['deployment']"
    assert seen["var"] == "['tmp']"
    assert SECRET not in str(seen["environment"])
    assert seen["folder"] == "/tmp"


def test_what_is_shown_can_be_read_and_only_its_own_scratch_be_written(seen: dict[str, Any]) -> None:
    assert seen["shown"] == SECRET
    assert seen["written"] == ["OSError", "OSError", "OSError", "OSError", "1"]  # the others are read-only


def test_no_process_of_the_machine_can_be_looked_at_traced_or_signalled(seen: dict[str, Any]) -> None:
    environment, signalled, traced = seen["parent"]
    assert environment in ("FileNotFoundError", "PermissionError")
    assert signalled in ("ProcessLookupError", "PermissionError")
    assert traced in ("ProcessLookupError", "PermissionError")
    assert seen["first"] == "PermissionError"


def test_no_right_is_had_or_won(seen: dict[str, Any]) -> None:
    assert seen["rights"] == [*["0" * 16] * 3, "1", "2"]
    assert seen["sudo"] in ("CalledProcessError", "FileNotFoundError")
    assert seen["namespace"] in ("CalledProcessError", "FileNotFoundError")
    assert seen["files"] == ["3"]  # the folder that is being listed


def test_one_address_is_reached_and_no_other(seen: dict[str, Any]) -> None:
    assert seen["reached"] == "we are, who asked who is there"
    assert seen["other port"] == "ConnectionRefusedError"
    assert seen["metadata service"] == "OSError"  # unreachable


def test_what_comes_in_and_goes_out_is_not_touched(seen: dict[str, Any]) -> None:
    assert seen["echoed"] == ALL_BYTES
    assert (seen["exit code"], seen["environment"].keys()) == (7, {"PATH", "LANG", "HOME", walls.REACHES})


def test_all_that_is_inside_ends_when_the_parent_is_killed(ground: Ground) -> None:
    with ground.start(LINGERS) as parent:
        assert parent.stdout is not None
        try:
            assert [parent.stdout.readline() for _ in range(2)] == [b"up\n", b"up\n"]
        finally:
            os.kill(parent.pid, signal.SIGKILL)
        assert _read_to_the_end(parent.stdout) == b""  # nobody has it open any more


def test_dask_can_be_imported_inside(ground: Ground) -> None:
    if ground.python != sys.executable:
        pytest.skip(f"{ground.python} has no Dask")
    with ground.start("import distributed; print(distributed.__name__)") as parent:
        out, err = parent.communicate(timeout=30)
    assert out == b"distributed\n", err.decode()


def test_where_there_can_be_no_walls_it_runs_as_it_is_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    refusing = tmp_path / "walled.py"
    refusing.write_text("import sys; sys.exit('unshare: Operation not permitted')")
    monkeypatch.setattr(walls, "_PROGRAM", refusing)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    walls._why_not.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            command = walls.walled(["env"], shown=[], reaches=("::1", 8786))
    walls._why_not.cache_clear()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {line.partition("=")[0] for line in said} == {"PATH", "LANG", "HOME", walls.REACHES}
    assert f"{walls.REACHES}=[::1]:8786" in said
    assert [record.__dict__["action"] for record in caplog.records] == ["client-not-walled"]
    assert "unshare: Operation not permitted" in caplog.text


def _read_to_the_end(stream: IO[bytes]) -> bytes:
    signal.alarm(20)  # should anybody hold it, the test run ends
    try:
        return stream.read()
    finally:
        signal.alarm(0)
