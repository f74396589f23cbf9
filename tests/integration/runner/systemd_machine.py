"""Boot the system's own systemd in namespaces of its own, on a copy-on-write view of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SYSTEMD = next((path for path in ("/usr/lib/systemd/systemd", "/lib/systemd/systemd") if Path(path).exists()), "")
_PATIENCE_S = 30.0

_ENTER_GROUPS = """
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs" || exit 1; shift; done
shift; exec "$@"
"""

# $1: a folder for the root; $2: systemd; the rest are folders that are the same inside and outside.
# Nothing it mounts is seen outside, all of it goes with its processes.
_BOOT = r"""
set -e
systemd=$2
cd "$1"
mount --make-rprivate /
mkdir layers root
mount -t tmpfs tmpfs layers
mkdir layers/upper layers/work
mount -t overlay overlay root -o lowerdir=/,upperdir=layers/upper,workdir=layers/work
mount -t proc proc root/proc
mount -t sysfs sysfs root/sys
for folder in run tmp dev; do mount -t tmpfs tmpfs "root/$folder"; done
chmod 1777 root/tmp
for device in null zero full random urandom tty; do
    touch "root/dev/$device"; mount --bind "/dev/$device" "root/dev/$device"
done
touch console root/dev/console; mount --bind console root/dev/console
mkdir -m 1777 root/dev/shm
while read -r _ place kind options _; do
    case $place in /sys/fs/cgroup*) ;; *) continue ;; esac
    case $kind in
        tmpfs) mount -t tmpfs tmpfs "root$place" ;;
        cgroup)
            named=$(printf '%s' "$options" | tr , '\n' | grep -vxE 'r[ow]|no.*|relatime|xattr' | paste -sd,)
            case $named in name=*) named=none,$named ;; esac
            mkdir -p "root$place"; mount -t cgroup -o "$named" cgroup "root$place" ;;
        cgroup2) mkdir -p "root$place"; mount -t cgroup2 cgroup2 "root$place" ;;
    esac
done < /proc/mounts
shift 2
for shared; do mkdir -p "root$shared"; mount --bind "$shared" "root$shared"; done
rm -rf root/etc/systemd/system/*.wants
echo uninitialized > root/etc/machine-id
mkdir root/before
cd root
pivot_root . before
umount -l /before
export container=rampart-test
exec "$systemd" --system --log-target=console --show-status=0 --unit=basic.target
"""


class SystemdMachine:
    """A running systemd; what is run in it sees this machine's files, and writes to its own copies of them."""

    def __init__(self, folder: Path, shared: Path) -> None:
        folder.mkdir()
        self._groups = _own_groups()
        for group in self._groups:
            group.mkdir()
        namespaces = ("--pid", "--mount", "--ipc", "--uts", "--cgroup", "--net", "--fork", "--kill-child")
        boot = (
            "unshare",
            *namespaces,
            "sh",
            "-c",
            _BOOT,
            "sh",
            str(folder),
            SYSTEMD,
            str(shared),
            sys.prefix,
            sys.base_prefix,
        )
        self._outer = subprocess.Popen(
            ["sh", "-c", _ENTER_GROUPS, "sh", *map(str, self._groups), "--", *boot],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self.pid = self._first_process()
            self._await_running()
        except BaseException:
            self.close()
            raise

    @property
    def enter(self) -> tuple[str, ...]:
        """What comes before a command line that is to be run inside."""
        return ("nsenter", "--target", str(self.pid), "--all", "--")

    def close(self) -> None:
        """End every process of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._outer.pid, signal.SIGKILL)
        self._outer.wait()
        if self._outer.stdout is not None:
            self._outer.stdout.close()
        for group in self._groups:
            _remove(group)

    def _first_process(self) -> int:
        """The child of `unshare`, as this machine numbers it."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until and self._outer.poll() is None:
            listed = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()
            if listed and "systemd" in Path(f"/proc/{listed[0]}/cmdline").read_text().split("\0")[0]:
                return int(listed[0])
            time.sleep(0.02)
        said = self._outer.stdout.read().decode() if self._outer.poll() is not None and self._outer.stdout else ""
        raise OSError(f"systemd did not start: {said.strip()}")

    def _await_running(self) -> None:
        until = time.monotonic() + _PATIENCE_S
        said = ""
        while time.monotonic() < until:
            done = subprocess.run(
                [*self.enter, "systemctl", "is-system-running"], capture_output=True, text=True, check=False
            )
            said = done.stdout.strip() or done.stderr.strip()
            if said in ("running", "degraded"):
                return
            time.sleep(0.05)
        raise OSError(f"systemd did not come up: {said}")


def why_not() -> str:
    """Why no systemd can be booted here; empty where it is worth trying."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in ("unshare", "nsenter", "systemctl", "systemd-run") if shutil.which(tool) is None]
    if missing or not SYSTEMD:
        return f"{', '.join(missing) or 'systemd'} not found"
    return ""


def _own_groups() -> list[Path]:
    """A control group of its own in every hierarchy: systemd takes the one it is started in for its root."""
    name = f"rampart-test-{os.getpid()}"
    found = []
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and "cpuset" not in options):
            found.append(Path(place, name))
    return found


def _remove(group: Path) -> None:
    for folder, _, _ in os.walk(group, topdown=False):
        for _ in range(100):
            try:
                Path(folder).rmdir()
                break
            except OSError:  # the kernel empties a group a moment after its last process
                time.sleep(0.01)
