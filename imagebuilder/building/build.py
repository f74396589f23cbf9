"""Drive one image build from its start to an image."""

from __future__ import annotations

from contracts.errors import CloudError, ImageBuildUnderWay
from contracts.image import ImageBuild, ImageReference
from imagebuilder.building.following import Audience, Follower, Patience, Progress
from imagebuilder.ports import Builder

__all__ = ["Audience", "Patience", "Progress", "build", "how_to_cancel", "refuse_beside_another"]


def build(
    builder: Builder,
    pipeline_arn: str,
    *,
    client_token: str,
    audience: Audience | None = None,
    patience: Patience | None = None,
) -> ImageReference:
    """Run a pipeline once and give the image.

    Raises ImageBuildUnderWay where the pipeline is building already, and ImageBuildFailed with the failing step and the
    end of the log. A build that takes too long, or during which this process is interrupted, is cancelled; a second
    interruption leaves at once. CloudError names the build that can be followed no more: it goes on.
    """
    audience, patience = audience or Audience(), patience or Patience()
    refuse_beside_another(builder, pipeline_arn, patience)
    build_arn = _started(builder, pipeline_arn, client_token, audience, patience)
    follower = Follower(builder, build_arn, audience, patience)
    try:
        _give_way(builder, pipeline_arn, build_arn, follower, patience)
        return follower.follow()
    except KeyboardInterrupt:
        audience.tell(f"cancelling the build {build_arn} (once more to leave at once)")
        _cancel(follower, build_arn, audience)
        raise
    except CloudError as error:
        message = f"{error.message}; the image build goes on: {build_arn}"
        raise CloudError(message, code=error.code, hint=error.hint or how_to_cancel(build_arn)) from error


def refuse_beside_another(builder: Builder, pipeline_arn: str, patience: Patience | None = None) -> None:
    """Raise ImageBuildUnderWay, which names the build that runs, where there is one; CloudError as `build` does."""
    patience = patience or Patience()
    for other in patience.asking(lambda: builder.under_way(pipeline_arn)):
        raise _under_way(other)


def how_to_cancel(build_arn: str) -> str:
    """The command that ends a build."""
    return f"aws imagebuilder cancel-image-creation --image-build-version-arn {build_arn}"


def _started(builder: Builder, pipeline_arn: str, client_token: str, audience: Audience, patience: Patience) -> str:
    """Start the build, once, however often it must be asked for."""
    try:
        return patience.asking(lambda: builder.start(pipeline_arn, client_token))
    except KeyboardInterrupt:
        # it may have begun: its ARN is had by the same token, and what begins only now ends at once
        audience.tell("cancelling the build that was being started (once more to leave at once)")
        try:
            build_arn = patience.asking(lambda: builder.start(pipeline_arn, client_token))
        except KeyboardInterrupt:
            audience.tell(
                f"a build may go on: aws imagebuilder list-image-pipeline-images --image-pipeline-arn {pipeline_arn}"
            )
            raise
        _cancel(Follower(builder, build_arn, audience, patience), build_arn, audience)
        raise


def _cancel(follower: Follower, build_arn: str, audience: Audience) -> None:
    """Cancel a build after an interruption, and say so where it cannot be waited for."""
    try:
        if follower.cancel():
            return
        audience.tell(f"the build is still being cancelled: {build_arn}")
    except KeyboardInterrupt:
        audience.tell(f"left while the build was being cancelled: {how_to_cancel(build_arn)}")
        raise
    except CloudError as error:
        audience.tell(f"the build could not be cancelled: {error.message}; do it: {how_to_cancel(build_arn)}")


def _give_way(builder: Builder, pipeline_arn: str, build_arn: str, follower: Follower, patience: Patience) -> None:
    """Of two builds that were started at the same moment the older one stays."""
    under_way = patience.asking(lambda: builder.under_way(pipeline_arn))
    arns = [other.build_arn for other in under_way]
    if build_arn in arns[1:]:
        follower.cancel()
        raise _under_way(under_way[0])


def _under_way(other: ImageBuild) -> ImageBuildUnderWay:
    since = f"{other.started_at:%Y-%m-%d %H:%M:%S}Z"
    return ImageBuildUnderWay(
        f"an image of this pipeline is being built since {since}: {other.build_arn}",
        hint=f"wait for its end, or end it: {how_to_cancel(other.build_arn)}",
    )
