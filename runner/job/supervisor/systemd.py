"""Run a job as a transient unit of systemd's."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from runner.job.supervisor import contained, devices, processes
from runner.job.supervisor.accounts import Account
from runner.job.supervisor.contained import Contained, End
from runner.job.supervisor.job import SPARE_TASKS, CannotContain, Job, Limits
from runner.job.supervisor.processes import Process
from runner.job.supervisor.view import EMPTY, SCRATCH, SHOWN, WRITABLE, View

_RUNS = Path("/run/systemd/system")
_STARTED = b"rampart-unit-started\n"
_PATIENCE_S = 30.0
_GRACE_S = 60
_HIERARCHIES = ("", "unified", "systemd")
_SLICE = "system.slice"
_NAME = re.compile(r"rampart-job-\d+-\d+\.service")
# before the program: all it writes goes one way, and what systemd-run has to say of it goes another
_BEGIN = 'exec 2>&1; printf "rampart-unit-started\\n"; exec "$@"'
_RESULT = re.compile(r"^Finished with result: (?P<result>\S+)$", re.MULTILINE)
_STATUS = re.compile(r"^Main processes terminated with: code=(?P<code>[a-z]+)/status=(?P<status>\w+)$", re.MULTILINE)
_CPU_TIME = re.compile(r"^CPU time consumed: (?P<time>.+)$", re.MULTILINE)
_UNITS_S = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def properties(view: View, account: Account, limits: Limits, cards: list[str]) -> tuple[str, ...]:
    """What the unit may do: nothing but compute on what it is shown. `cards` are the devices of its graphics cards."""
    bounds = [f"RuntimeMaxSec={int(limits.timeout_s) + _GRACE_S}", "LimitCORE=0"]  # the supervisor ends it before
    if limits.memory_bytes is not None:
        bounds += [f"MemoryMax={limits.memory_bytes}", "MemorySwapMax=0"]
    if limits.tasks is not None:
        bounds += [f"TasksMax={limits.tasks + SPARE_TASKS}"]
    if limits.cpus is not None:
        bounds += [f"CPUQuota={limits.cpus * 100:.0f}%"]
    if limits.file_bytes is not None:
        bounds += [f"LimitFSIZE={limits.file_bytes}"]
    return (
        *(f"User={account.name}", f"Group={account.gid}", "UMask=0022"),
        *("PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "PrivateIPC=yes"),
        *("ProtectSystem=strict", "ProtectProc=invisible"),
        *(f"TemporaryFileSystem={_quoted(path)}:ro,mode=755,size=1m" for path in view.of(EMPTY)),
        *(
            f"TemporaryFileSystem={_quoted(path)}:mode=1777,nosuid,nodev,size={view.scratch_bytes}"
            for path in view.of(SCRATCH)
        ),
        *(f"BindReadOnlyPaths={_quoted(path)}" for path in view.of(SHOWN)),
        *(f"BindPaths={_quoted(path)}" for path in view.of(WRITABLE)),
        *("NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=", "RestrictSUIDSGID=yes"),
        # asked through a ring, the kernel does what the filters of calls and families would refuse
        *("SystemCallFilter=@system-service", "SystemCallFilter=~io_uring_setup io_uring_enter io_uring_register"),
        *("SystemCallFilter=~@keyring", "SystemCallErrorNumber=EPERM", "SystemCallArchitectures=native"),
        *("RestrictNamespaces=yes", "KeyringMode=private", "ProtectControlGroups=yes"),
        *("DevicePolicy=closed", *(f"DeviceAllow={device} rw" for device in cards)),
        *(
            "Nice=5",
            "OOMScoreAdjust=500",
            "OOMPolicy=kill",
            "KillMode=control-group",
            "KillSignal=SIGKILL",
            "TimeoutStopSec=5",
        ),
        *bounds,
    )


class Unit(Contained):
    """A job that is a unit. `pid` is that of `systemd-run`, which waits for it and then says how it ended."""

    name = "systemd"

    def __init__(self, unit: str, pid: int, output: int, said: int) -> None:
        super().__init__(pid, output)
        self._unit = unit
        self._said = said
        self._members = _list_of_members(unit)

    def members(self) -> dict[int, Process]:
        if self._members is None:
            return {}
        try:
            return processes.seen(int(pid) for pid in self._members.read_text().split())
        except OSError:
            return {}

    def abort(self) -> None:
        _systemctl("kill", "--kill-who=main", "--signal=ABRT", self._unit)

    def kill(self) -> None:
        end_unit(self._unit)

    def end(self, status: int) -> End:
        words = _read_what_is_there(self._said)
        os.close(self._said)
        end = parsed_end(words, status)
        if end.how != "exited" or end.code != 0:
            _systemctl("reset-failed", self._unit)
        return end


def start(job: Job) -> Contained:
    """Start the job as a unit; raises CannotContain where that cannot be done here."""
    if not _RUNS.is_dir():
        raise CannotContain("systemd does not run here")
    if job.account is None:
        raise CannotContain("systemd takes units from root alone")
    if not job.account.name:
        raise CannotContain("systemd wants a user with a name, and there is none for submissions")
    unit = f"rampart-job-{os.getpid()}-{time.time_ns()}.service"
    (job.folder / "unit").write_text(unit)
    reader, writer = contained.output_pipe()
    said, saying = os.pipe()
    os.set_blocking(said, False)
    try:
        process = subprocess.Popen(
            command(job, unit), stdin=subprocess.DEVNULL, stdout=writer, stderr=saying, start_new_session=True
        )
    except OSError as error:
        raise CannotContain(f"systemd-run cannot be run: {error.strerror}") from error
    finally:
        os.close(writer)
        os.close(saying)
    process.returncode = 0  # it is reaped by the supervisor, with everything else
    if not _has_started(reader):
        processes.send(process.pid, signal.SIGKILL)
        os.waitpid(process.pid, 0)
        end_unit(unit)
        raise CannotContain(_why_not(_read_what_is_there(said)))
    return Unit(unit, process.pid, reader, said)


def command(job: Job, unit: str) -> tuple[str, ...]:
    """The whole command line; `$` is doubled, since systemd would read it as a variable's."""
    assert job.account is not None  # noqa: S101 - `start` has looked
    wanted = properties(job.view, job.account, job.limits, devices.graphics_cards())
    run = ("/bin/sh", "-c", _BEGIN, "sh", "/usr/bin/env", "-i", *_pairs(job.environment), *job.argv)
    return (
        *(
            "systemd-run",
            "--wait",
            "--pipe",
            "--service-type=simple",  # its first words tell as well that it began, and sooner
            f"--unit={unit}",
            f"--slice={_SLICE}",
            "--no-ask-password",
        ),
        f"--working-directory={job.cwd}",
        *(word for value in wanted for word in ("--property", value)),
        *("--", *(word.replace("$", "$$") for word in run)),
    )


def end_unit_of(folder: Path) -> None:
    """End the unit of a job folder, where it has one; any other name was written there by a job without walls."""
    try:
        unit = (folder / "unit").read_text()
    except OSError:
        return
    if _NAME.fullmatch(unit):
        end_unit(unit)


def end_unit(unit: str) -> None:
    """Kill every process of a unit; one that has ended is fine."""
    _systemctl("kill", "--kill-who=all", "--signal=KILL", unit)
    _systemctl("stop", unit)


def parsed_end(words: str, status: int) -> End:
    """Read what systemd-run says when its unit has ended; without such words its own exit code counts."""
    result, ended, cpu_time = _RESULT.search(words), _STATUS.search(words), _CPU_TIME.search(words)
    used_s = _seconds(cpu_time["time"]) if cpu_time else None
    code = _code(ended["code"], ended["status"]) if ended else status
    if result and result["result"] == "oom-kill":
        return End("out-of-memory", code, used_s)
    if result and result["result"] == "timeout":
        return End("timeout", code, used_s)
    return End("signalled" if code < 0 else "exited", code, used_s)


def _why_not(words: str) -> str:
    """Of a unit that did not come up: its exit status is systemd's own word for the wall that could not be built."""
    ended = _STATUS.search(words)
    if ended:
        return f"a unit ended with status {ended['status']} before its program began"
    lines = words.strip().splitlines()
    return lines[-1] if lines else "the unit did not start"


def _code(code: str, status: str) -> int:
    if code == "exited" and status.isdigit():
        return int(status)
    number = getattr(signal, f"SIG{status}", None)
    return -int(number or signal.SIGKILL)


def _seconds(text: str) -> float:
    return sum(float(value) * _UNITS_S[unit] for value, unit in re.findall(r"([\d.]+)(d|h|min|ms|us|s)\b", text))


def _pairs(environment: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def _quoted(path: str) -> str:
    r"""A path in a list of paths: one with blanks, quotes, backslashes or colons would be read as several."""
    plain = re.fullmatch(r"[\w./+@=,~-]+", path)
    return path if plain else '"' + re.sub(r'([\\":])', r"\\\1", path) + '"'


def _has_started(output: int) -> bool:
    """Whether the unit's first words come: systemd has built all its walls then."""
    said, until = b"", time.monotonic() + _PATIENCE_S
    while len(said) < len(_STARTED):
        if not select.select([output], [], [], max(0.0, until - time.monotonic()))[0]:
            return False
        piece = os.read(output, len(_STARTED) - len(said))
        if not piece:
            return False
        said += piece
    return said == _STARTED


def _list_of_members(unit: str) -> Path | None:
    places = [Path("/sys/fs/cgroup", hierarchy, _SLICE, unit, "cgroup.procs") for hierarchy in _HIERARCHIES]
    return next((place for place in places if place.exists()), None)


def _systemctl(*words: str) -> str:
    done = subprocess.run(
        ["systemctl", "--quiet", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def _read_what_is_there(descriptor: int) -> str:
    pieces = []
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except BlockingIOError:
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode("utf-8", "replace")
