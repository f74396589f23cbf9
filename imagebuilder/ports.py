"""What builds and choices of images need from the cloud, in the verbs they use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from contracts.image import BuildStep, ImageBuild, LogPage, MachineImage
from contracts.instance import Instance
from contracts.remote import CommandResult


class Builder(Protocol):
    """The service that runs image pipelines; every verb may raise CloudError."""

    def start(self, pipeline_arn: str, client_token: str) -> str:
        """Begin a build and give its ARN; the same token never begins a second one."""
        ...

    def under_way(self, pipeline_arn: str) -> tuple[ImageBuild, ...]:
        """Give the pipeline's builds that have not come to their end, oldest first."""
        ...

    def status(self, build_arn: str) -> ImageBuild:
        """Ask where a build stands."""
        ...

    def cancel(self, build_arn: str) -> None:
        """End a build; one that is over already is left alone."""
        ...

    def step(self, build_arn: str) -> BuildStep | None:
        """Tell the step that failed, else the one that runs, else None."""
        ...

    def log(self, build: ImageBuild, token: str | None) -> LogPage:
        """Give the lines of the build's log after `token` (None: from its beginning)."""
        ...


class OwnImages(Protocol):
    """The account's own machine images; every verb may raise CloudError."""

    def named(self, base_name: str) -> tuple[MachineImage, ...]:
        """Give the images called `base_name`, alone or with a blank and more after it."""
        ...

    def by_id(self, image_id: str) -> MachineImage | None:
        """Give one image, or None where the account has none of that id."""
        ...

    def public_snapshots(self, snapshot_ids: Iterable[str]) -> tuple[str, ...]:
        """Give those of the own snapshots that anybody may read."""
        ...


class Transport(Protocol):
    """One connection to one machine. Every verb may raise HostUnreachable."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        """Run a command to its end and give its exit code and output. Raises CommandTimedOut."""
        ...

    def send(self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float = 600.0) -> CommandResult:
        """Run a command that reads `chunks` on its standard input."""
        ...

    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> AbstractContextManager[Iterator[bytes]]:
        """Run a command and read its standard output piece by piece; raises CommandFailed."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


@dataclass(frozen=True, slots=True)
class Rented:
    """A machine that is up and has proved itself with the key it was launched with, as `ssh-ed25519 AAAA...`.

    `boot_s` is the time from the launch's answer until it answered over SSH, in seconds.
    """

    instance: Instance
    host_key: str
    transport: Transport
    boot_s: float


class Machines(Protocol):
    """Where a machine is had for a while; every verb may raise CloudError."""

    def rented(
        self, image_id: str, *, instance_type: str, purpose: str, lifetime_s: float, profile: str = ""
    ) -> AbstractContextManager[Rented]:
        """Launch one machine, wait until it answers, and terminate it when the block is left, however it is left.

        `purpose` becomes a part of its name, `profile` its instance profile. It powers itself off after `lifetime_s`.
        Raises BootTimeout, HostKeyRefused or HostGone.
        """
        ...

    def reconnected(self, rented: Rented, *, has_restarted: Callable[[Transport], bool]) -> Rented:
        """The same machine after a restart: waits until it answers and `has_restarted`; it still ends by itself.

        Raises as `rented` does, and CommandFailed where that end cannot be set again.
        """
        ...


class Marking(Protocol):
    """What is written on an image."""

    def tag(self, image_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an image and of its snapshots. Raises CloudError."""
        ...
