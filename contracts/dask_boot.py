"""Write the user data of the machines of a Dask cluster: pure texts.

No certificate is in it, for whatever runs on a machine may read its user data. Certificates are pushed over SSH to
contracts.dask_machines.CERTIFICATES; systemd starts Dask as soon as the private key, the last of the three, is there.
Where a cluster is insecure there are none, and Dask starts at once.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.dask_machines import (
    ACCOUNT,
    CERTIFICATES,
    DASHBOARD_PORT,
    SCHEDULER_PORT,
    WORKER_PORTS,
    DaskRole,
    certificates,
    unit,
)
from contracts.host_boot import render_user_data

_STATE = f"/var/lib/{ACCOUNT}"
_PROGRAMS = "/usr/local/lib/rampart"
_UNITS = "/etc/systemd/system"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

_START = """\
#!/bin/sh
set -eu
address=$(hostname -I | cut -d ' ' -f 1)
exec {command}
"""

_SERVICE = """\
[Unit]
Description=Dask {role}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
User={account}
Group={account}
StateDirectory={account}
StateDirectoryMode=0750
WorkingDirectory={state}
{environment}
ExecStart=/bin/sh {program}
Restart=always
RestartSec=2
{limits}"""

_SCHEDULER_LIMITS = """\
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
"""

_WORKER_LIMITS = """\
# a job goes on when the worker that started it is restarted: the dispatcher finds it again
KillMode=process
# nothing here takes rights away, for jobs would inherit it: what starts them becomes root and builds their walls
"""

_INSTALL = """
[Install]
WantedBy=multi-user.target
"""

_SUDOERS = """\
# what starts a job does so as root, as over SSH: the job itself runs as another user, behind walls
{account} ALL=(ALL) NOPASSWD: ALL
"""

_TAKE_LAYOUT = """\
from=$(getent passwd "$1" | cut -d : -f 6)/.rampart/layout.json
[ ! -f "$from" ] || install -o "$2" -g "$2" -m 0644 "$from" "$3"
"""

_PATH = """\
[Unit]
Description=Certificates of the Dask {role}

[Path]
PathExists={last}
"""


def dask_scheduler(*, user: str, lifetime_s: float, prefix: str, insecure: bool = False) -> str:
    """Give the user data of the scheduler's machine; `prefix` is the folder of the event's environment."""
    options = ("scheduler", "--protocol", _protocol(insecure), "--port", str(SCHEDULER_PORT))
    role = _Role(
        DaskRole.SCHEDULER,
        options,
        # a run whose worker dies is not tried again by Dask: only the dispatcher decides that
        environment={"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"},
        limits=_SCHEDULER_LIMITS,
        insecure=insecure,
    )
    return _machine(role, user=user, lifetime_s=lifetime_s, prefix=prefix)


def dask_worker(
    *,
    user: str,
    lifetime_s: float,
    prefix: str,
    scheduler: str,
    n_threads: int | None = None,
    insecure: bool = False,
) -> str:
    """Give the user data of a worker's machine, for one worker that runs one submission at a time.

    `scheduler` is the scheduler's address; `n_threads` bounds the threads of the libraries that submissions use.
    Jobs lie in `.rampart/jobs` in the account's home.
    """
    worker, nanny = WORKER_PORTS
    options = (
        *("worker", f"{_protocol(insecure)}://{scheduler}:{SCHEDULER_PORT}"),
        *("--worker-port", str(worker), "--nanny-port", str(nanny)),
        *("--nworkers", "1", "--nthreads", "1", "--resources", "SUBMISSION=1"),
        # memory is bounded for each job; Dask would end the worker for what a job takes
        *("--memory-limit", "0", "--local-directory", _STATE, "--no-dashboard"),
    )
    threads = {} if n_threads is None else dict.fromkeys(_THREAD_VARIABLES, str(n_threads))
    role = _Role(DaskRole.WORKER, options, environment=threads, limits=_WORKER_LIMITS, insecure=insecure)
    return _machine(role, user=user, lifetime_s=lifetime_s, prefix=prefix)


@dataclass(frozen=True, slots=True)
class _Role:
    """What a machine of the cluster is: Dask's own words, and what its unit says."""

    name: DaskRole
    options: tuple[str, ...]
    environment: Mapping[str, str]
    limits: str
    insecure: bool

    @property
    def program(self) -> str:
        return f"{_PROGRAMS}/dask-{self.name}"


def _machine(role: _Role, *, user: str, lifetime_s: float, prefix: str) -> str:
    name = unit(role.name)
    files = {role.program: _START.format(command=_command(role, prefix)), f"{_UNITS}/{name}.service": _service(role)}
    commands = [
        ["useradd", "--system", "--user-group", "--home-dir", _STATE, "--shell", "/usr/sbin/nologin", ACCOUNT],
    ]
    if role.name is DaskRole.WORKER:
        staged = f"{_PROGRAMS}/dask-sudoers"
        files[staged] = _SUDOERS.format(account=ACCOUNT)
        # sudo wants it to be exactly so
        commands.append(
            ["install", "-D", "-o", "root", "-g", "root", "-m", "0440", staged, f"/etc/sudoers.d/{ACCOUNT}"]
        )
        own = ["-o", ACCOUNT, "-g", ACCOUNT]
        commands += [
            ["install", "-d", *own, "-m", "0750", _STATE],
            ["install", "-d", *own, "-m", "0700", f"{_STATE}/.rampart"],
            # what the image tells of the challenge is told in the home of whoever logs in
            ["sh", "-c", _TAKE_LAYOUT, "sh", user, ACCOUNT, f"{_STATE}/.rampart/layout.json"],
        ]
    if not role.insecure:
        files[f"{_UNITS}/{name}.path"] = _PATH.format(role=role.name, last=certificates(role.name)[-1]) + _INSTALL
        # what is put there belongs to the group, whoever puts it there; others do not come in
        commands.append(["install", "-d", "-o", "root", "-g", ACCOUNT, "-m", "2750", CERTIFICATES])
    started = f"{name}.service" if role.insecure else f"{name}.path"
    commands += [["systemctl", "daemon-reload"], ["systemctl", "enable", "--now", started]]
    return render_user_data(lifetime_s=lifetime_s, user=user, files=files, commands=commands)


def _protocol(insecure: bool) -> str:
    return "tcp" if insecure else "tls"


def _command(role: _Role, prefix: str) -> str:
    words = [f"{prefix}/bin/dask", *role.options]
    if not role.insecure:
        authority, own, key = certificates(role.name)
        words += ["--tls-ca-file", authority, "--tls-cert", own, "--tls-key", key]
    if role.name is DaskRole.SCHEDULER:
        # no rule lets anybody reach the port of its pages but over SSH to the machine itself
        named = f' --dashboard-address "$address:{DASHBOARD_PORT}"'
    else:
        named = ' --name "$address"'  # a worker that comes back is the one it was
    return shlex.join(words) + ' --host "$address"' + named


def _service(role: _Role) -> str:
    encryption = {} if role.insecure else {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
    # a worker's pages, with logs and tasks, would be shown in the clear to whoever reaches their port
    pages = {"DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]"} if role.name is DaskRole.WORKER else {}
    variables = {"HOME": _STATE, **encryption, **pages, **role.environment}
    lines = "\n".join(f"Environment={name}={value}" for name, value in variables.items())
    text = _SERVICE.format(
        role=role.name, account=ACCOUNT, state=_STATE, program=role.program, environment=lines, limits=role.limits
    )
    # else its path unit starts it, when the certificates are there
    return text + _INSTALL if role.insecure else text
