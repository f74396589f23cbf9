"""What is asked of systemd, as values; what it answers, by case."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.job.supervisor import systemd
from runner.job.supervisor.accounts import Account
from runner.job.supervisor.contained import End
from runner.job.supervisor.job import Job, Limits
from runner.job.supervisor.view import EMPTY, SCRATCH, SHOWN, WRITABLE, Mount, View

VIEW = View(
    (
        Mount(EMPTY, "/home"),
        Mount(SCRATCH, "/tmp"),
        Mount(SHOWN, "/home/ubuntu/ramp kits/iris"),
        Mount(WRITABLE, "/home/ubuntu/job/tmp"),
    ),
    scratch_bytes=1000,
)
ACCOUNT = Account(999, 998, "submission")
LIMITS = Limits(60.0, memory_bytes=2**30, tasks=100, cpus=1.5, file_bytes=2**20, disk_bytes=2**30)


def test_a_unit_may_compute_on_what_it_is_shown_and_nothing_else() -> None:
    assert systemd.properties(VIEW, ACCOUNT, LIMITS, ["/dev/nvidia0"]) == (
        *("User=submission", "Group=998", "UMask=0022"),
        *("PrivateNetwork=yes", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "PrivateIPC=yes"),
        *("ProtectSystem=strict", "ProtectProc=invisible"),
        "TemporaryFileSystem=/home:ro,mode=755,size=1m",
        "TemporaryFileSystem=/tmp:mode=1777,nosuid,nodev,size=1000",
        'BindReadOnlyPaths="/home/ubuntu/ramp kits/iris"',
        "BindPaths=/home/ubuntu/job/tmp",
        *("NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=", "RestrictSUIDSGID=yes"),
        *("SystemCallFilter=@system-service", "SystemCallFilter=~io_uring_setup io_uring_enter io_uring_register"),
        *("SystemCallFilter=~@keyring", "SystemCallErrorNumber=EPERM", "SystemCallArchitectures=native"),
        *("RestrictNamespaces=yes", "KeyringMode=private", "ProtectControlGroups=yes"),
        *("DevicePolicy=closed", "DeviceAllow=/dev/nvidia0 rw"),
        *("Nice=5", "OOMScoreAdjust=500", "OOMPolicy=kill", "KillMode=control-group", "KillSignal=SIGKILL"),
        *("TimeoutStopSec=5", "RuntimeMaxSec=120", "LimitCORE=0"),
        *("MemoryMax=1073741824", "MemorySwapMax=0", "TasksMax=164", "CPUQuota=150%", "LimitFSIZE=1048576"),
    )


def test_a_limit_that_is_not_set_is_not_asked_for() -> None:
    asked = systemd.properties(VIEW, ACCOUNT, Limits(60.0), [])
    assert not [one for one in asked if one.startswith(("Memory", "Tasks", "CPU", "LimitFSIZE", "DeviceAllow"))]


def test_a_job_is_told_its_environment_alone_and_no_dollar_is_read_as_a_variables() -> None:
    job = Job(Path("/job"), ("/env/bin/ramp-test", "$HOME"), "/kit", {"HOME": "/job/home"}, VIEW, LIMITS, ACCOUNT)
    command = systemd.command(job, "one.service")
    assert command[-5:] == ("/usr/bin/env", "-i", "HOME=/job/home", "/env/bin/ramp-test", "$$HOME")
    assert "--working-directory=/kit" in command


@pytest.mark.parametrize(
    ("words", "status", "end"),
    [
        ("", 0, End("exited", 0)),
        (
            "Finished with result: success\nMain processes terminated with: code=exited/status=0\n"
            "Service runtime: 1min 2.5s\nCPU time consumed: 1min 2.250s\n",
            0,
            End("exited", 0, 62.25),
        ),
        (
            "Finished with result: exit-code\nMain processes terminated with: code=exited/status=3\n"
            "CPU time consumed: 12ms\n",
            3,
            End("exited", 3, 0.012),
        ),
        (
            "Finished with result: signal\nMain processes terminated with: code=killed/status=SEGV\n",
            1,
            End("signalled", -11),
        ),
        (
            "Finished with result: core-dump\nMain processes terminated with: code=dumped/status=ABRT\n",
            1,
            End("signalled", -6),
        ),
        (
            "Finished with result: oom-kill\nMain processes terminated with: code=killed/status=KILL\n",
            1,
            End("out-of-memory", -9),
        ),
        (
            "Finished with result: timeout\nMain processes terminated with: code=killed/status=KILL\n",
            1,
            End("timeout", -9),
        ),
    ],
)
def test_what_systemd_says_of_a_units_end_is_read(words: str, status: int, end: End) -> None:
    assert systemd.parsed_end(words, status) == end
