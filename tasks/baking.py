"""Build an event's image over SSH, on instances of our own, and show how it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.event import EventConfig
    from contracts.image import ImageReference
    from contracts.stack import StackOutputs
    from imagebuilder.bake import Order
    from imagebuilder.building.build import Audience


def build(
    event: EventConfig,
    *,
    local: bool = False,
    config: str | None = None,
    every_line: bool = False,
    estimate_s: float | None = None,
) -> ImageReference:
    """Make the event's image over SSH, telling how it goes, as `image_building.build` does it by the pipeline."""
    from clients.aws.pipelines import Pipelines
    from clients.aws.session import session_for
    from tasks import image_building

    refuse_beside_another(event)
    # what documents find in the event's bucket comes there by the same deployment
    outputs = image_building.declared(event, Pipelines(session_for(event)), local=local, config=config)
    with image_building.audience_of(event, estimate_s, every_line=every_line) as audience:
        return bake(event, outputs, audience)


def refuse_beside_another(event: EventConfig) -> None:
    """Raise ImageBuildUnderWay where an image of the event is being built over SSH already."""
    from imagebuilder import bake as baking
    from tasks import hosts

    baking.refuse_beside_another(baking.Up(machine.instance, machine.role) for machine in hosts.machines(event))


def bake(event: EventConfig, outputs: StackOutputs, audience: Audience | None = None) -> ImageReference:
    """Make the event's image as its stack's pipeline would, without Image Builder.

    Raises ImageBuildFailed; AskedWrongly for a parent image that only Image Builder knows.
    """
    from clients.aws.image_making import ImageMaking
    from clients.aws.objects import Objects
    from clients.aws.session import session_for
    from imagebuilder import bake as baking
    from imagebuilder.bake.documents import OverSsh
    from tasks import rented

    session = session_for(event)
    machines = rented.for_builds(event)
    return baking.bake(
        order_of(event, outputs),
        machines,
        ImageMaking(session),
        OverSsh(machines, Objects(session)),
        is_up=_is_up(event),
        audience=audience,
    )


def order_of(event: EventConfig, outputs: StackOutputs) -> Order:
    """What is to be made: as the event's recipe, infrastructure and distribution say it."""
    from dataclasses import replace

    from imagebuilder import bake as baking
    from infra import image_sources, naming
    from infra.tags import Labels

    image = event.infra.image
    naming.ami_name(event.image_name)
    sources = image_sources.of_event(event)
    components = tuple(
        replace(
            each,
            parameters={
                name: image_sources.filled(value, outputs.bucket, outputs.secret_arns)
                for name, value in each.parameters.items()
            },
        )
        for each in sources.components
    )
    labels = Labels(event=event.name, stack=outputs.stack, cost_center=event.infra.cost_center)
    return baking.Order(
        image_name=event.image_name,
        parent_image=_parent_image(event),
        components=components,
        event=event.name,
        tags=labels.built_image(sources.recipe_version),
        instance_type=image.instance_type,
        profile=outputs.build_profile_name,
        kms_key=image.kms_key or "",
        share_with=image.share_with,
        build_timeout_s=image.build_timeout_s,
        test_timeout_s=image.test_timeout_s,
    )


def _parent_image(event: EventConfig) -> str:
    """The id of the AMI that the event's image is made from. Raises AskedWrongly where there is none to be had."""
    from clients.aws.session import session_for
    from clients.aws.survey import AwsSurvey
    from contracts.errors import AskedWrongly
    from runner.app import now

    named = event.infra.image.parent_image
    if named.startswith("arn:"):
        hint = "write an AMI's id or ssm: and a parameter's name as infra.image.parent_image, or leave out --via ssh"
        raise AskedWrongly(f"only Image Builder knows the parent image {named}", hint=hint)
    if not named.startswith("ssm:"):
        return named
    parameter = named.removeprefix("ssm:")
    found = AwsSurvey(session_for(event), now=now()).parameter(parameter)
    if found is None:
        hint = "write another infra.image.parent_image"
        raise AskedWrongly(f"there is no parameter {parameter} in {event.region}", hint=hint)
    return found


def _is_up(event: EventConfig) -> Callable[[str], bool]:
    """Whether a machine of the event is up whose purpose begins so."""
    from tasks import hosts

    return lambda purpose: any(machine.role.startswith(purpose) for machine in hosts.machines(event))
