"""Settle a machine's SSH host key on its disk, as cloud-init's ssh module does before sshd comes up; read it there."""

from __future__ import annotations

import subprocess

from contracts.errors import CommandFailed
from localcloud.machines import Machine

_PATIENCE_S = 60
# Gives the private key that counts: the image's own where it was left there and is to be kept, else the offered one.
_SETTLE = """
set -e
mkdir -p /etc/ssh
cd /etc/ssh
[ "$1" = keep ] || rm -f ssh_host_*key*
if [ "$2" = made ] && [ -s ssh_host_ed25519_key ]; then
    cat ssh_host_ed25519_key
    exit
fi
umask 077
cat >ssh_host_ed25519_key
printf '%s\\n' "$3" >ssh_host_ed25519_key.pub
chmod 644 ssh_host_ed25519_key.pub
"""


def settle(machine: Machine, private: str, public: str, *, is_given: bool, keeps_images: bool) -> str | None:
    """Write a key pair below the machine's /etc/ssh; gives the image's own private key where that one is kept.

    `is_given` is said of a key that came with the user data: it counts in any case. With `keeps_images` the keys that
    are on the image already stay (`ssh_deletekeys: false`). A machine without files of its own there is let be. Raises
    CommandFailed.
    """
    if not machine.has_own_system:
        return None
    words = ("keep" if keeps_images else "drop", "given" if is_given else "made", public)
    done = _done(machine, ["sh", "-c", _SETTLE, "sh", *words], private)
    if done.returncode != 0:
        message = f"could not write the host key of {machine.instance_id}: {done.stderr.strip()}"
        raise CommandFailed(message, exit_code=done.returncode)
    return done.stdout or None


def on_disk(machine: Machine) -> str | None:
    """Give the private key that the machine's SSH server finds when it reads its files; None where there is none."""
    if not machine.has_own_system:
        return None
    done = _done(machine, ["cat", "/etc/ssh/ssh_host_ed25519_key"])
    return done.stdout if done.returncode == 0 else None


def _done(machine: Machine, argv: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    spawn = machine.spawn(argv, user="root")
    return subprocess.run(
        spawn.argv,
        env=spawn.env,
        cwd=spawn.cwd,
        input=text,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
