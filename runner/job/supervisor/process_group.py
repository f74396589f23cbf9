"""Run a job as a process group: with limits, and never with more rights than the login user has."""

from __future__ import annotations

import os
import signal
import subprocess

from runner.job.supervisor import contained, processes, syscalls
from runner.job.supervisor.contained import Contained
from runner.job.supervisor.job import Job


class ProcessGroup(Contained):
    """A job without walls."""

    name = "process-group"

    def abort(self) -> None:
        processes.send(self.pid, signal.SIGABRT)

    def kill(self) -> None:
        for pid in processes.descendants(os.getpid()):
            processes.send(pid, signal.SIGKILL)
        processes.kill_group(self.pid)


def start(job: Job) -> Contained:
    """Start the job; raises OSError where its program cannot be run.

    The supervisor itself becomes the job's account: without walls a job reaches all of its folder, and a root that
    goes on writing there would write wherever a link of the job's leads.
    """
    if job.account is not None and job.account.uid != os.getuid():
        os.setgroups([])
        os.setgid(job.account.gid)
        os.setuid(job.account.uid)
    reader, writer = contained.output_pipe()
    supervisor = os.getpid()

    def prepare() -> None:
        syscalls.die_with_parent(signal.SIGKILL)
        if os.getppid() != supervisor:
            os.kill(os.getpid(), signal.SIGKILL)
        contained.set_limits(job.limits)
        contained.go_first()
        syscalls.take_no_new_rights()
        os.umask(0o022)

    try:
        process = subprocess.Popen(
            job.argv,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.STDOUT,
            cwd=job.cwd,
            env=job.environment,
            start_new_session=True,
            preexec_fn=prepare,
        )
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    process.returncode = 0  # it is reaped by the supervisor, with everything else
    return ProcessGroup(process.pid, reader)
