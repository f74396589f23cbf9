"""Build an event's image through its pipeline, and show how it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import console

if TYPE_CHECKING:
    from clients.aws.pipelines import Pipelines
    from contracts.event import EventConfig
    from contracts.image import ImageReference, MachineImage
    from contracts.stack import StackOutputs
    from imagebuilder.building.build import Audience, Progress

_INDENT = "  "
_MISSING = "ResourceNotFoundException"
_SHORT_S = 60.0
"""A build that takes less is over before anybody asks how long it will take."""


def built_already(event: EventConfig) -> MachineImage | None:
    """The event's newest image, where what it was made from has not changed since."""
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from imagebuilder import catalogue
    from imagebuilder.building import wanted
    from runner.app import now

    recipe = catalogue.recipe_version(event)
    own = Images(session_for(event)).named(event.image_name)
    return wanted.built_already(own, base=event.image_name, event=event.name, recipe=recipe, now=now())


def build(
    event: EventConfig,
    *,
    local: bool = False,
    config: str | None = None,
    every_line: bool = False,
    estimate_s: float | None = None,
) -> ImageReference:
    """Run the event's pipeline to its end, telling how it goes; deploys first what has changed since the last `up`.

    With `every_line` the build's log is shown as it grows. `estimate_s` is how long the last build took.
    """
    import uuid

    from clients.aws.pipelines import Pipelines
    from clients.aws.session import session_for
    from contracts.errors import CloudError
    from imagebuilder.building import build as builds

    pipelines = Pipelines(session_for(event))
    outputs = declared(event, pipelines, local=local, config=config)
    image = event.infra.image
    patience = builds.Patience(timeout_s=image.build_timeout_s, test_timeout_s=image.test_timeout_s)
    with audience_of(event, estimate_s, every_line=every_line) as audience:
        try:
            return builds.build(
                pipelines,
                outputs.image_pipeline_arn,
                client_token=str(uuid.uuid4()),
                audience=audience,
                patience=patience,
            )
        except CloudError as error:
            if error.code != _MISSING:
                raise
            hint = f"what was deployed is not there any more: invoke up --event {event.name}"
            raise CloudError(error.message, code=error.code, hint=hint) from error


@contextmanager
def audience_of(event: EventConfig, estimate_s: float | None, *, every_line: bool) -> Iterator[Audience]:
    """Who hears of a build of the event's image: this terminal, and a file that keeps the log."""
    from imagebuilder.building.build import Audience
    from imagebuilder.building.kept_log import KeptLog

    with KeptLog(_log_path(event)) as log, _shown(event, estimate_s, every_line=every_line) as show:
        try:
            yield Audience(progress=show, tell=console.say, log=log, estimate_s=estimate_s)
        finally:
            if log.trouble:
                console.say(f"warning: the build's log is not kept here: {log.trouble}", style="yellow")


def declared(event: EventConfig, pipelines: Pipelines, *, local: bool, config: str | None) -> StackOutputs:
    """The stack's outputs, once its pipeline makes the image that the event's files ask for now."""
    from contracts.errors import CloudError
    from imagebuilder import catalogue
    from imagebuilder.building import build as builds
    from tasks import stack

    outputs = stack.needed_outputs(event)
    if outputs.recipe_version == catalogue.recipe_version(event):
        return outputs
    try:
        # of no use to change what a build that has begun does not look at any more
        builds.refuse_beside_another(pipelines, outputs.image_pipeline_arn)
    except CloudError as error:
        if error.code != _MISSING:
            raise  # a pipeline that somebody deleted is made anew
    console.say(f"what the image of {event.name} is made from has changed: deploying it first")
    return stack.up(event, local=local, config=config)


def _log_path(event: EventConfig) -> Path:
    from runner.app import now

    return event.state_dir / "image-builds" / f"{now():%Y-%m-%dT%H-%M-%SZ}.log"


@contextmanager
def _shown(event: EventConfig, estimate_s: float | None, *, every_line: bool) -> Iterator[Callable[[Progress], None]]:
    """Show each state and step once, and how the time passes where a terminal can; or every line of the log."""
    from contracts.image import BuildState

    states = [state for state in BuildState if not state.is_over]
    told: set[tuple[str, str]] = set()
    title = f"building the image {event.image_name}"
    lives = console.err().is_terminal and not every_line
    sentence = sentences(estimate_s, repeats=lives)

    def is_new(progress: Progress) -> bool:
        moment = (progress.state.value, progress.step)
        seen = moment in told
        told.add(moment)
        return not seen

    if every_line:
        # a bar would be torn apart by the lines
        def tell_all(progress: Progress) -> None:
            for line in progress.lines:
                console.say(line)
            if is_new(progress):
                console.say(f"{_INDENT}{sentence(progress)}")

        console.say(f"{title} ...")
        yield tell_all
        return
    with console.progress(title, total=len(states)) as show:

        def tell(progress: Progress) -> None:
            if is_new(progress) or lives:
                done = len(states) if progress.state.is_over else states.index(progress.state)
                show(sentence(progress), done)

        yield tell


def sentences(estimate_s: float | None, *, repeats: bool) -> Callable[[Progress], str]:
    """Give what tells each moment of a build in one line: time, state, step, and what is left where that is long.

    That a build takes longer than the last one did is told once, or with `repeats` in each line: where each takes the
    place of the one before.
    """
    is_worth_it = estimate_s is not None and estimate_s >= _SHORT_S
    last = f"the last build took {console.duration(estimate_s)}"
    is_told = False

    def sentence(progress: Progress) -> str:
        nonlocal is_told
        step = f": {progress.step}" if progress.step else ""
        line = f"{console.duration(progress.elapsed_s):>7}  {progress.state.value.lower()}{step}"
        if not is_worth_it or progress.left_s is None or progress.state.is_over:
            return line
        if progress.left_s > 0:
            return f"{line}  (about {console.duration(progress.left_s)} left: {last})"
        if is_told and not repeats:
            return line
        is_told = True
        return f"{line}  (longer than expected: {last})"

    return sentence
