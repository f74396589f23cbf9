"""Find the image that machines are declared with."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from contracts.event import EventConfig
from contracts.image import ImageStatus
from infra.tags import STACK, STATUS, Labels


def newest_image(event: EventConfig, labels: Labels, opts: pulumi.InvokeOptions) -> str | None:
    """Give the image the event names by its id, else the newest that was built for the stack and verified.

    None where there is no image yet. Asks AWS while the program runs, for what is declared depends on the answer.
    """
    if event.worker.ami_image_id is not None:
        return event.worker.ami_image_id
    found = aws.ec2.get_ami_ids(
        owners=["self"],
        filters=[
            aws.ec2.GetAmiIdsFilterArgs(name=f"tag:{STACK}", values=[labels.stack]),
            aws.ec2.GetAmiIdsFilterArgs(name=f"tag:{STATUS}", values=[ImageStatus.VERIFIED.value]),
            aws.ec2.GetAmiIdsFilterArgs(name="state", values=["available"]),
        ],
        sort_ascending=False,  # by the date of creation
        opts=opts,
    )
    return found.ids[0] if found.ids else None
