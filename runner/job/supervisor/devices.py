"""Give a job the devices that a computation needs, in a /dev of its own."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from runner.job.supervisor import syscalls

_HARMLESS = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


def graphics_cards() -> list[str]:
    """The devices of NVIDIA's cards, those of their driver included."""
    found = [path for pattern in ("nvidia*", "nvidia*/*") for path in Path("/dev").glob(pattern)]
    return sorted(str(path) for path in found if path.is_char_device())


def mount_harmless() -> None:
    """Put a folder in the place of /dev that has nothing but the harmless devices and the graphics cards."""
    wanted = [*(f"/dev/{name}" for name in _HARMLESS if os.path.exists(f"/dev/{name}")), *graphics_cards()]  # noqa: PTH110
    sources = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in wanted}
    syscalls.mount("tmpfs", "/dev", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, "mode=755,size=64k")
    for path, source in sources.items():
        Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        Path(path).touch()
        syscalls.bind(f"/proc/self/fd/{source}", path)
        os.close(source)
    for name, target in _LINKS.items():
        Path("/dev", name).symlink_to(target)
    for folder in ("pts", "shm"):
        Path("/dev", folder).mkdir()
    # a container may allow none: then a job has no terminals of its own
    with contextlib.suppress(OSError):
        syscalls.mount(
            "devpts", "/dev/pts", "devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, "ptmxmode=0666,mode=620"
        )
