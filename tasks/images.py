"""Commands for an event's machine image: build-ami."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from contracts.event import EventConfig
    from contracts.image import ImageReference
    from imagebuilder.build import Progress


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | {"challenge": "the challenge (ramp.problem_name), where one event alone has it", "json": "print JSON"}
)
def build_ami(
    challenge: str | None = None,
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
    json: bool = False,
) -> None:
    """Build the event's machine image and test it on a fresh instance.

    Example: invoke build-ami --challenge iris
    """
    import dataclasses

    from tasks import console
    from tasks.events import event_of_challenge, open_event

    name = event_of_challenge(challenge) if challenge and not event else event
    opened = open_event(name, config=config, local=local)
    image = build(opened)
    if json:
        console.data(dataclasses.asdict(image))
    else:
        console.result(f"{image.image_id}  {image.name}")
        console.next_step(f"invoke train-loop --event {opened.name}")


def build(event: EventConfig) -> ImageReference:
    """Run the event's pipeline to its end, telling how it goes."""
    import uuid

    from clients.aws.pipelines import Pipelines
    from clients.aws.session import session_for
    from contracts.image import BuildState
    from imagebuilder import build as builds
    from tasks import console, stack

    outputs = stack.needed_outputs(event)
    states = [state for state in BuildState if not state.is_over]
    told: set[tuple[str, str]] = set()
    with console.progress(f"building the image {event.image_name}", total=len(states)) as show:

        def tell(progress: Progress) -> None:
            moment = (progress.state.value, progress.step)
            if moment not in told:
                told.add(moment)
                step = f": {progress.step}" if progress.step else ""
                done = len(states) if progress.state.is_over else states.index(progress.state)
                show(f"{console.duration(progress.elapsed_s):>7}  {progress.state.value.lower()}{step}", done)

        return builds.build(
            Pipelines(session_for(event)), outputs.image_pipeline_arn, client_token=str(uuid.uuid4()), on_progress=tell
        )


def resolve(event: EventConfig) -> ImageReference:
    """The image an event's hosts are launched from, shown once."""
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from contracts.image import ImageStatus
    from imagebuilder import images
    from runner.app import now
    from tasks import console

    image = images.resolve(event, Images(session_for(event)), now=now())
    tested = (
        "tested"
        if image.status is not ImageStatus.UNTESTED
        else "NOT tested by Rampart: build one with invoke build-ami"
    )
    console.say(f"image {image.image_id} ({image.name}), {tested}")
    return image
