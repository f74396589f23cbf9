"""Make and end emulated machines at the level asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from contracts.errors import AskedWrongly
from localcloud.machines import kept, own_units, plain, stand_in_files, visible
from localcloud.machines.level import Level
from localcloud.machines.machine import Calls, Machine
from localcloud.machines.plan import RoomPlan

MEMORY_BYTES = 4 << 30
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,62}")


class _Room(Protocol):
    def create(
        self, instance_id: str, image_id: str | None, login_user: str, calls: Calls, address: str
    ) -> Machine: ...
    def snapshot(self, instance_id: str, image_id: str) -> None: ...
    def forget_image(self, image_id: str) -> None: ...
    def close(self) -> None: ...


class MachineRoom:
    """A folder of machines that end with it. Close it, or use it in a `with`.

    `environment` is shown read-only inside every machine at its own path, with the interpreter it was made from;
    `masked` folders are empty inside. `real_packages` lets the package managers of full machines, and everything else
    in them, use this machine's network; at the other levels it changes nothing. `memory_bytes` bounds each machine as
    a whole where control groups can be had, else each of its processes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        level: Level,
        environment: Path,
        real_packages: bool = False,
        masked: Sequence[Path] = (),
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.level = level
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = str(folder.resolve())
        self._plan = RoomPlan(
            level=level.value,
            folder=place,
            shown=visible.environment_folders(environment),
            hidden=visible.hidden_folders([*masked, Path(place)]),
            hidden_files=visible.hidden_files(),
            stand_ins=stand_in_files.names(level.value, real_packages=real_packages),
            own_network=not (real_packages and level is Level.FULL),
            memory_bytes=memory_bytes,
            python=own_units.python_of(environment),
        )
        self._known_images: set[str] = set()
        self._room: _Room = plain.PlainRoom(self._plan) if level is Level.PLAIN else kept.KeptRoom(self._plan)
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create(
        self,
        instance_id: str,
        *,
        image_id: str | None,
        login_user: str,
        address: str = "127.0.0.1",
        on_shutdown: Callable[[], None] | None = None,
        on_reboot: Callable[[], None] | None = None,
        on_reload: Callable[[], None] | None = None,
    ) -> Machine:
        """Boot a machine from an image of this room, or from the bare system for None; it calls `address` its own.

        `on_shutdown` is called, on a thread of its own, when the machine is shut down from inside, and `on_reboot` when
        it is rebooted from inside: that one stops the machine and starts it. Without it it comes back by itself.
        `on_reload` is called when its SSH server is to read its files again, which no plain machine asks for.
        """
        for name in (instance_id, login_user):
            if not _NAME.fullmatch(name):
                raise AskedWrongly(f"'{name}' is not a name for a machine or a user", hint="use a-z, 0-9, - and _")
        if image_id is not None and image_id not in self._known_images:
            raise AskedWrongly(
                f"no image {image_id} in this room", hint=f"known: {', '.join(sorted(self._known_images)) or 'none'}"
            )
        return self._room.create(instance_id, image_id, login_user, Calls(on_shutdown, on_reboot, on_reload), address)

    def snapshot(self, machine: Machine, image_id: str) -> None:
        """Make an image of what the machine changed, on top of the image it was launched from."""
        if not _NAME.fullmatch(image_id) or image_id in self._known_images:
            raise AskedWrongly(f"'{image_id}' cannot be the name of a new image", hint="choose another name")
        self._room.snapshot(machine.instance_id, image_id)
        self._known_images.add(image_id)

    def forget_image(self, image_id: str) -> None:
        """Drop an image; machines launched from it go on."""
        if image_id in self._known_images:
            self._known_images.discard(image_id)
            self._room.forget_image(image_id)

    def close(self) -> None:
        """End every machine and remove what they left below the folder."""
        if self._open:
            self._open = False
            self._room.close()
