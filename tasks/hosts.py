"""Look at the instances of an event."""

from __future__ import annotations

from contracts.event import EventConfig
from contracts.instance import Instance


def live(event: EventConfig) -> list[Instance]:
    """The event's instances that have not ended; none for an event that runs on this machine."""
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for

    if event.worker.worker_type != "aws":
        return []
    found = Ec2(session_for(event)).instances({"rampart:event": event.name})
    # instances of an image build carry the event's tag too; a launch of ours has one of its own
    return [instance for instance in found if not instance.has_ended and "rampart:launch" in instance.tags]
