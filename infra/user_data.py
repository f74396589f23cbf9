"""Write the user data of the machines of a Dask cluster: pure texts.

No certificate is in it, for whatever runs on a machine may read its user data. Certificates are pushed over SSH to
`CERTIFICATES`; systemd starts Dask as soon as the private key, the last of the three, is there.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence

from contracts.errors import AskedWrongly
from contracts.host_boot import render_user_data

LONGEST = 16 * 1024
"""Bytes that EC2 takes as user data, before base64."""

CERTIFICATES = "/etc/rampart/dask"
"""Where certificates belong: readable by ACCOUNT's group alone, owned by root."""
ACCOUNT = "rampart-dask"
"""Runs Dask; it owns nothing but its own state folder."""
SCHEDULER_PORT = 8786
WORKER_PORTS = (8788, 8789)
"""Of a worker and of the nanny that starts it anew."""

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
RestartSec=5
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
"""

_PATH = """\
[Unit]
Description=Certificates of the Dask {role}

[Path]
PathExists={last}

[Install]
WantedBy=multi-user.target
"""


def encoded(text: str) -> str:
    """Give user data as a launch template takes it; raises AskedWrongly where EC2 would not take that much."""
    data = text.encode()
    if len(data) > LONGEST:
        message = f"the user data of a machine has {len(data)} bytes, but EC2 takes {LONGEST} at most"
        raise AskedWrongly(message, hint="shorten infra.image.prefix")
    return base64.b64encode(data).decode("ascii")


def certificates(role: str) -> tuple[str, str, str]:
    """Give the paths of the authority's certificate, of the machine's own and of its private key, to push in order."""
    return f"{CERTIFICATES}/ca.pem", f"{CERTIFICATES}/{role}.pem", f"{CERTIFICATES}/{role}-key.pem"


def dask_scheduler(*, user: str, lifetime_s: float, prefix: str) -> str:
    """Give the user data of the scheduler's machine; `prefix` is the folder of the event's environment."""
    options = ["scheduler", "--protocol", "tls", "--port", str(SCHEDULER_PORT), "--no-dashboard"]
    return _machine("scheduler", options, user=user, lifetime_s=lifetime_s, prefix=prefix)


def dask_worker(*, user: str, lifetime_s: float, prefix: str, scheduler: str, n_threads: int | None = None) -> str:
    """Give the user data of a worker's machine, for one worker that runs one submission at a time.

    `scheduler` is the scheduler's address; `n_threads` bounds the threads of the libraries that submissions use.
    """
    worker, nanny = WORKER_PORTS
    options = [
        *("worker", f"tls://{scheduler}:{SCHEDULER_PORT}", "--worker-port", str(worker), "--nanny-port", str(nanny)),
        *("--nworkers", "1", "--nthreads", "1", "--resources", "SUBMISSION=1"),
        *("--local-directory", _STATE, "--no-dashboard"),
    ]
    environment = {} if n_threads is None else dict.fromkeys(_THREAD_VARIABLES, str(n_threads))
    return _machine("worker", options, user=user, lifetime_s=lifetime_s, prefix=prefix, environment=environment)


def _machine(
    role: str,
    options: Sequence[str],
    *,
    user: str,
    lifetime_s: float,
    prefix: str,
    environment: Mapping[str, str] | None = None,
) -> str:
    unit, program = f"{ACCOUNT}-{role}", f"{_PROGRAMS}/dask-{role}"
    files = {
        program: _START.format(command=_command(role, options, prefix)),
        f"{_UNITS}/{unit}.service": _service(role, program, environment or {}),
        f"{_UNITS}/{unit}.path": _PATH.format(role=role, last=certificates(role)[-1]),
    }
    commands = [
        ["useradd", "--system", "--user-group", "--home-dir", _STATE, "--shell", "/usr/sbin/nologin", ACCOUNT],
        # what is put there belongs to the group, whoever puts it there
        ["install", "-d", "-o", "root", "-g", ACCOUNT, "-m", "2750", CERTIFICATES],
        ["systemctl", "daemon-reload"],
        ["systemctl", "enable", "--now", f"{unit}.path"],
    ]
    return render_user_data(lifetime_s=lifetime_s, user=user, files=files, commands=commands)


def _command(role: str, options: Sequence[str], prefix: str) -> str:
    authority, own, key = certificates(role)
    words = [f"{prefix}/bin/dask", *options, "--tls-ca-file", authority, "--tls-cert", own, "--tls-key", key]
    return shlex.join(words) + ' --host "$address"'


def _service(role: str, program: str, environment: Mapping[str, str]) -> str:
    variables = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true", **environment}
    lines = "\n".join(f"Environment={name}={value}" for name, value in variables.items())
    return _SERVICE.format(role=role, account=ACCOUNT, state=_STATE, program=program, environment=lines)
