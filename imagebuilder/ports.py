"""What builds and choices of images need from the cloud, in the verbs they use."""

from __future__ import annotations

from typing import Protocol

from contracts.image import BuildStep, ImageBuild, LogPage, MachineImage


class Builder(Protocol):
    """The service that runs image pipelines; every verb may raise CloudError."""

    def start(self, pipeline_arn: str, client_token: str) -> str:
        """Begin a build and give its ARN; the same token never begins a second one."""
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
