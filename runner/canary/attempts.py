"""List what the canary tries, and what should stop each attempt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from contracts.work import JobEnd
from runner.job.pushed import supervisor_files

HOSTILE = Path(__file__).with_name("hostile")


class Proof(StrEnum):
    """Who tells how an attempt ended."""

    ATTEMPT = "attempt"  # it says what it got, and the bait is looked at besides
    HOST = "host"  # the host is looked at when the job has ended
    HEIR = "heir"  # the next job on the host looks for it
    PULL = "pull"  # what comes back is looked at
    LOG = "log"  # the log is, as people would be shown it
    SCORES = "scores"  # the verdict on the run is
    END = "end"  # how its supervisor says the job ended


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: `tried` says what is done, `wall` what should stop it."""

    name: str
    tried: str
    wall: str
    proof: Proof = Proof.ATTEMPT


_FILES = "what is not the job's own is out of its sight"
_READ_ONLY = "the system is read-only"
_NETWORK = "the job has a network of its own, which leads nowhere"
_RIGHTS = "no program gives new rights"
_CALLS = "system calls are filtered, all capabilities given up"
_OTHERS = "other processes are out of sight and of another user"
_END = "every process is killed with the job"
_FRESH = "scratch folders, home and IPC are the job's own, and go with it"
_READER = "only plain files and folders are taken, within limits"
_LOG = "logs are capped and cleaned"

ATTEMPTS = (
    Attempt("labels", "read the labels on the host", "scoring: server, and " + _FILES),
    Attempt("other-submission", "read another submission's folder", _FILES),
    Attempt("home", "read the login user's home", _FILES),
    Attempt("keys", "read ~/.ssh, or add a key to authorized_keys", _FILES),
    Attempt("user-data", "read user data and cloud-init's files", _FILES),
    Attempt("logs", "read the host's logs", _FILES),
    Attempt("secrets", "read password hashes, sudo's settings, the SSH host key", "the job is another user's"),
    Attempt("supervisor-files", "read the supervisor's files", _FILES),
    Attempt("record", "forge exit, lock and log of the run", _FILES),
    Attempt("kit", "change the kit", _READ_ONLY),
    Attempt("environment", "change the environment of later submissions", _READ_ONLY),
    Attempt("system", "write to /etc, /usr, /opt, cron, systemd's units", _READ_ONLY),
    Attempt("metadata", "ask the instance metadata service, version 1", _NETWORK),
    Attempt("metadata-token", "ask it for a session token, version 2", _NETWORK),
    Attempt("tcp", "connect to a machine far away", _NETWORK),
    Attempt("udp", "send packets there", _NETWORK),
    Attempt("dns", "ask a name server", _NETWORK),
    Attempt("beside", "connect to the host's network", _NETWORK),
    Attempt("loopback", "connect to services of the host on 127.0.0.1", _NETWORK),
    Attempt("abstract-socket", "connect to an abstract Unix socket", _NETWORK),
    Attempt("file-sockets", "connect to sockets of services (D-Bus, Docker, the login user's)", _FILES),
    Attempt("families", "make sockets past IP (vsock, packet, netlink), or an io_uring", _CALLS),
    Attempt("sudo", "become root by sudo, su, pkexec", _RIGHTS),
    Attempt("setuid-made", "leave a setuid program", "its bits do not stay", Proof.HOST),
    Attempt("setuid-existing", "gain by the system's setuid programs", _RIGHTS),
    Attempt("mounts", "mount, or make the system writable again", _CALLS),
    Attempt("namespaces", "make namespaces, and be root in them", _CALLS),
    Attempt("devices", "open disks, memory, kvm; make a device", "/dev has harmless devices alone"),
    Attempt("kernel", "turn kernel settings; load modules, BPF", _CALLS),
    Attempt("keyring", "read keys from the login user's keyrings", _CALLS),
    Attempt("signals", "signal the launcher and the login user's processes", _OTHERS),
    Attempt("traced", "trace the launcher (ptrace)", _OTHERS),
    Attempt("looked-into", "read the launcher's environment, memory, open files", _OTHERS),
    Attempt("left-files", "leave files for the next submission", _FRESH, Proof.HEIR),
    Attempt("left-memory", "leave shared memory for it", _FRESH, Proof.HEIR),
    Attempt("left-processes", "leave a process beside it", _END, Proof.HEIR),
    Attempt("escaped", "escape: fork twice, new session, empty environment", _END, Proof.HOST),
    Attempt("stays", "stay: ignore signals, fork on and on", _END, Proof.HOST),
    Attempt("symlink", "return symbolic links to the host's files", _READER, Proof.PULL),
    Attempt("hard-link", "return hard links", _READER, Proof.PULL),
    Attempt("device", "return a device", "no capability to make one; " + _READER, Proof.PULL),
    Attempt("fifo", "return a pipe that a reader would wait at", _READER, Proof.PULL),
    Attempt("climbing", "return names with .. in them", _READER, Proof.PULL),
    Attempt("absolute", "return another submission's output: a link in the place of its own", _READER, Proof.PULL),
    Attempt("control-names", "return names with control sequences", _READER, Proof.PULL),
    Attempt("option-names", "return names that look like options", "names reach no command line", Proof.PULL),
    Attempt("deep", "return folders sixty deep", _READER, Proof.PULL),
    Attempt("sparse", "return a sparse file of 1 TiB", "limit of a file's size", Proof.PULL),
    Attempt("huge", "write one huge file", "limit of a file's size"),
    Attempt("fake-scores", "claim perfect scores", "scoring: server makes the scores itself", Proof.SCORES),
    Attempt("log-controls", "write control sequences into the log", _LOG, Proof.LOG),
    Attempt("log-flood", "flood the log", _LOG, Proof.LOG),
    Attempt("log-traceback", "blame the kit by a made-up traceback", "the log blames nobody else", Proof.SCORES),
    Attempt("forks", "fork without end", "limit of tasks", Proof.END),
    Attempt("memory", "take all memory", "limit of memory", Proof.END),
    Attempt("disk", "fill the disk", "limit of what a job writes", Proof.END),
    Attempt("many", "return 100,000 files", "limit of files, on the host and in what is taken", Proof.END),
    Attempt("endless", "run for ever", "time limit", Proof.END),
)

BOMBS = {
    "forks": (JobEnd.TOO_MANY_TASKS, JobEnd.OUT_OF_MEMORY),  # whichever is seen first
    "memory": (JobEnd.OUT_OF_MEMORY,),
    "disk": (JobEnd.DISK_FULL,),
    "many": (JobEnd.DISK_FULL,),
    "endless": (JobEnd.TIMEOUT,),
}
"""Attempts that are jobs of their own, with the limits that may end each."""

OUTPUTS = tuple(one.name for one in ATTEMPTS if one.proof is Proof.PULL)
"""Attempts that each leave an output folder of its own."""


@cache
def digest() -> str:
    """Name what is tried, and by which walls it is to be stopped: another version of either is another canary."""
    told = hashlib.sha256()
    for path in (Path(__file__), *sorted(HOSTILE.glob("*.py")), *sorted(supervisor_files().values())):
        told.update(path.name.encode() + b"\0" + path.read_bytes())
    return told.hexdigest()[:16]
