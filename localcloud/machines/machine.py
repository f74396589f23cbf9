"""Say what an emulated machine can be asked, whatever its level."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

NO_ENVIRONMENT: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Calls:
    """Who is called, on a thread of its own, when something inside asks the machine itself for something.

    Whoever is called for a reboot stops the machine and starts it; without anybody it is just started again. A reload
    is that of its SSH server.
    """

    on_shutdown: Callable[[], None] | None = None
    on_reboot: Callable[[], None] | None = None
    on_reload: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Spawn:
    """What to start as a child process so that it runs inside a machine.

    Start it in a session of its own (`start_new_session=True`) and signal its process group: then a signal reaches
    what runs inside. Whatever it leaves behind ends with the machine.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str | None


class Machine(Protocol):
    """One emulated machine."""

    @property
    def instance_id(self) -> str: ...
    @property
    def login_user(self) -> str: ...
    @property
    def home(self) -> str:
        """The login user's home folder, as seen inside."""

    @property
    def has_own_system(self) -> bool:
        """Whether folders like `/etc` are its own, to be written to at their own paths."""

    def spawn(self, argv: Sequence[str], *, user: str, env: Mapping[str, str] = NO_ENVIRONMENT) -> Spawn:
        """Return how to run a command as `user`: root, the login user, or another one that exists inside.

        Raises HostGone when the machine is stopped or destroyed.
        """

    def document_parameters(self) -> dict[str, str]:
        """Return the parameters of component documents this level needs other values for."""

    def write_file(self, path: str, data: bytes, *, mode: int, owner: str) -> None:
        """Write a file inside, with the folders above it; raises CommandFailed where the level cannot."""

    def recorded_calls(self) -> list[list[str]]:
        """Return what the stand-ins were asked, oldest first, each as its words."""

    def listen_inside(self, address: tuple[str, int]) -> socket.socket | None:
        """Return a socket that listens inside the machine's own network; None where it has none."""

    def freeze(self) -> None:
        """Let every process inside stand still, as when the machine hangs; what is started inside later runs."""

    def thaw(self) -> None:
        """Let them go on; does nothing to a machine that runs."""

    def stop(self) -> None:
        """End every process inside, keep the files."""

    def start(self) -> None:
        """Boot again after a stop."""

    def destroy(self) -> None:
        """End every process inside; they are dead when this returns, and the machine's files are gone."""
