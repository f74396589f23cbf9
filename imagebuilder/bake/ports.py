"""What a bake needs of the account's images, or to run documents: in the verbs it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from contracts.image import MachineImage
from imagebuilder.catalogue import Component
from imagebuilder.ports import Rented


class Images(Protocol):
    """The account's own machine images as a bake makes or removes them; every verb may raise CloudError."""

    def create(self, instance_id: str, *, name: str, description: str, tags: Mapping[str, str]) -> str:
        """Begin to make an image of a machine, which is shut down for that, and give the image's id."""
        ...

    def copy_encrypted(
        self, image_id: str, *, name: str, description: str, tags: Mapping[str, str], kms_key: str
    ) -> str:
        """Begin to make an encrypted copy of an image and give its id; an empty key is the account's own."""
        ...

    def by_id(self, image_id: str) -> MachineImage | None:
        """Give one image, or None where the account has none of that id (yet)."""
        ...

    def tagged(self, tags: Mapping[str, str]) -> tuple[MachineImage, ...]:
        """Give the images that carry all of `tags`."""
        ...

    def tag(self, image_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an image and of its snapshots."""
        ...

    def share(self, image_id: str, accounts: Sequence[str]) -> None:
        """Let other accounts launch an image."""
        ...

    def deregister(self, image: MachineImage) -> None:
        """Remove an image with its snapshots; what is gone already counts as removed."""
        ...

    def discard(self, tags: Mapping[str, str]) -> None:
        """Remove every image and every snapshot that carries all of `tags`."""
        ...


class RunDocuments(Protocol):
    """Runs component documents on one machine as AWSTOE does."""

    def __call__(
        self,
        rented: Rented,
        components: Sequence[Component],
        phases: Sequence[str],
        *,
        log: Callable[[str], None],
        timeout_s: float,
    ) -> Rented:
        """Run the phases, each for all components in their order; gives the machine, reconnected where it restarted.

        Every line of the log is given to `log` at once. Raises CommandFailed where a step fails and that counts,
        CommandTimedOut where it all takes longer than `timeout_s`, HostUnreachable where the machine is lost.
        """
        ...
