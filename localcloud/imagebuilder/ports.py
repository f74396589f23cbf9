"""What the emulator needs of an emulated machine, in the verbs it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol


class Spawn(Protocol):
    """How to start a command of the machine as a child of this process."""

    @property
    def argv(self) -> Sequence[str]:
        """The whole command line."""
        ...

    @property
    def env(self) -> Mapping[str, str]:
        """The whole environment."""
        ...

    @property
    def cwd(self) -> str | None:
        """The folder to start in, None for this process's own."""
        ...


class BuildMachine(Protocol):
    """The machine behind a build or test instance."""

    def spawn(self, argv: Sequence[str], *, user: str, env: Mapping[str, str] = ...) -> Spawn:
        """Say how to run a command there."""
        ...

    def document_parameters(self) -> dict[str, str]:
        """Parameters that must have other values on this machine."""
        ...


MachineOf = Callable[[str], BuildMachine]
"""Finds the machine of a running instance by the instance's id."""
