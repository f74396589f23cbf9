"""Drive one bake from a rented machine to a tested image, and leave nothing else."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from contracts.errors import AskedWrongly, CommandTimedOut, HostGone, HostUnreachable, RampartError
from contracts.image import BAKE_TAG, EVENT_TAG, STATUS_TAG, BuildState, ImageReference, ImageStatus, MachineImage
from imagebuilder.bake import beside, cleaning, host_keys, making
from imagebuilder.bake.host_keys import HostKeys
from imagebuilder.bake.order import MARGIN_S, Order
from imagebuilder.bake.ports import Images, RunDocuments
from imagebuilder.bake.told import Told
from imagebuilder.building.following import Audience
from imagebuilder.ports import Machines, Rented
from imagebuilder.renting import Clockwork

_BETWEEN_MACHINES = timedelta(minutes=15)
"""A bake that goes on has no machine for a moment: after building, before testing."""


def bake(
    order: Order,
    machines: Machines,
    images: Images,
    run_documents: RunDocuments,
    *,
    is_up: Callable[[str], bool],
    audience: Audience | None = None,
    clockwork: Clockwork | None = None,
) -> ImageReference:
    """Build and validate on a machine, make its image, test on a fresh machine of it, and give the image.

    `is_up` tells whether a machine of the purpose it is given is up; by that, what a broken bake left is told from what
    another one still makes. Raises ImageBuildFailed with the failing step and the end of its log. However it ends, both
    machines are terminated, and an image that was not tested to its end is removed with its snapshots.
    """
    return _Bake(order, machines, images, run_documents, is_up, audience or Audience(), clockwork or Clockwork()).run()


class _Bake:
    """One bake; its token marks the image from its first moment, and is a part of its machines' names."""

    def __init__(
        self,
        order: Order,
        machines: Machines,
        images: Images,
        run_documents: RunDocuments,
        is_up: Callable[[str], bool],
        audience: Audience,
        clockwork: Clockwork,
    ) -> None:
        self._order = order
        self._machines = machines
        self._images = images
        self._run_documents = run_documents
        self._is_up = is_up
        self._audience = audience
        self._time = clockwork
        self._told = Told(audience, clockwork.clock)
        self._token = uuid.uuid4().hex[:12]

    def run(self) -> ImageReference:
        try:
            self._remove_leftovers()
            with self._removed_unless_tested():
                made, builder_keys = self._build()
                self._test(made, builder_keys)
                self._mark(made)
        except AskedWrongly:
            raise
        except RampartError as error:
            raise self._told.failure(error) from error
        self._told.move(BuildState.AVAILABLE)
        return ImageReference(made.image_id, made.name, made.created_at, ImageStatus.TESTED)

    def _build(self) -> tuple[MachineImage, HostKeys]:
        order, told = self._order, self._told
        told.move(BuildState.CREATING)
        lifetime_s = order.build_timeout_s + order.image_timeout_s
        with self._machine(order.parent_image, "build", lifetime_s, order.profile) as machine:
            told.move(BuildState.BUILDING)
            deadline = self._time.clock() + order.build_timeout_s
            host_keys.own(machine)  # before anything is done to a disk that might be another machine's
            with self._applied(machine, ("build", "validate"), deadline, "the image build") as machine:
                keys = host_keys.own(machine)
                with told.step("clean", "RemoveTraces"):
                    cleaning.clean(machine.transport)
                with told.step("clean", "NothingIsLeft"):
                    cleaning.prove_clean(machine.transport)
                with told.step("image", "CreateImage"):
                    made = making.make(
                        order,
                        self._images,
                        machine.instance.instance_id,
                        tags={**order.tags, BAKE_TAG: self._token},
                        clockwork=self._time,
                        still=told.still,
                    )
                    told.line(f"Created AMI {made.image_id} ({made.name})")
        return made, keys

    def _test(self, made: MachineImage, builder_keys: HostKeys) -> None:
        order, told = self._order, self._told
        told.move(BuildState.TESTING)
        with self._machine(made.image_id, "test", order.test_timeout_s) as machine:
            deadline = self._time.clock() + order.test_timeout_s
            with told.step("test", "HostKeysDiffer"):
                host_keys.refuse_common(builder_keys, host_keys.own(machine))
            with self._applied(machine, ("test",), deadline, "the image's test phase"):
                pass

    def _mark(self, made: MachineImage) -> None:
        self._told.move(BuildState.DISTRIBUTING)
        if self._order.share_with:
            self._images.share(made.image_id, self._order.share_with)
        # the last word: from here on the image may be chosen
        self._images.tag(made.image_id, {STATUS_TAG: ImageStatus.TESTED.value})

    @contextmanager
    def _machine(self, image_id: str, use: str, lifetime_s: float, profile: str = "") -> Iterator[Rented]:
        purpose = f"{purpose_of(self._token)}-{use}"
        self._told.line(f"Launching the {use} instance from {image_id}")
        with self._machines.rented(
            image_id,
            instance_type=self._order.instance_type,
            purpose=purpose,
            lifetime_s=lifetime_s + MARGIN_S,
            profile=profile,
        ) as rented:
            self._told.line(f"Launched instance (instance id: {rented.instance.instance_id})")
            yield rented

    @contextmanager
    def _applied(self, machine: Rented, phases: Sequence[str], deadline: float, what: str) -> Iterator[Rented]:
        """Run phases of all components; gives the machine as it is reached after them."""
        order = self._order
        timeout_s = order.test_timeout_s if "test" in phases else order.build_timeout_s
        try:
            reached = self._run_documents(
                machine, order.components, phases, log=self._told.line, timeout_s=deadline - self._time.clock()
            )
        except CommandTimedOut as error:
            raise CommandTimedOut(f"{what} took longer than {timeout_s:.0f} s", hint=error.hint) from error
        except (HostGone, HostUnreachable) as error:
            message = f"the instance {machine.instance.instance_id} was lost: {error.message}"
            raise HostUnreachable(message, hint="build again") from error
        try:
            yield reached
        finally:
            if reached is not machine:
                reached.transport.close()

    @contextmanager
    def _removed_unless_tested(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            try:
                self._images.discard({BAKE_TAG: self._token})
            except RampartError as error:
                self._told.line(f"What is made of the image could not be removed: {error.message}")
                self._audience.tell(f"an unfinished image may be left, the next build removes it: {error.message}")
            raise

    def _remove_leftovers(self) -> None:
        """Remove the images of bakes that were killed before they could do it."""
        before = self._time.now() - _BETWEEN_MACHINES
        for image in self._images.tagged({EVENT_TAG: self._order.event}):
            token = image.tags.get(BAKE_TAG, "")
            if image.is_unfinished and image.created_at < before and not self._is_up(purpose_of(token)):
                self._audience.tell(f"removing {image.image_id}, which a broken build left")
                self._images.discard({BAKE_TAG: token})


def purpose_of(token: str) -> str:
    """How the names of a bake's machines begin, after the event's."""
    return f"{beside.PURPOSE}{token}"
