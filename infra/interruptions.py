"""Declare where EC2's notices of spot interruptions and rebalance recommendations arrive."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import policies
from infra.component import Component
from infra.tags import Labels

NOTICES = ("EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation")
RETENTION_S = 900
"""A machine is gone two minutes after its notice."""
LONGEST_WAIT_S = 20
"""A question to the queue waits so long for an answer: SQS's most."""


@dataclass(frozen=True)
class InterruptionsArgs:
    """Whose queue it is."""

    labels: Labels


class Interruptions(Component):
    """A rule that sends the region's notices, other events' too, to a queue that nobody else may send to."""

    queue_url: pulumi.Output[str]

    def __init__(self, name: str, args: InterruptionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Interruptions", name, args.labels, opts)
        rule = aws.cloudwatch.EventRule(
            self.called("interruptions"),
            description="EC2 tells that it takes a spot instance back, or may soon",
            event_pattern=json.dumps({"detail-type": list(NOTICES), "source": ["aws.ec2"]}, sort_keys=True),
            state="ENABLED",
            tags=self.tags("interruptions"),
            opts=self.inside,
        )
        queue = aws.sqs.Queue(
            self.called("interruptions"),
            message_retention_seconds=RETENTION_S,
            receive_wait_time_seconds=LONGEST_WAIT_S,
            sqs_managed_sse_enabled=True,
            tags=self.tags("interruptions"),
            opts=self.inside,
        )
        policy = aws.sqs.QueuePolicy(
            self.called("interruptions"),
            queue_url=queue.url,
            policy=pulumi.Output.all(queue.arn, rule.arn).apply(
                lambda arns: json.dumps(policies.receives_notices(*arns), sort_keys=True)
            ),
            opts=self.inside,
        )
        aws.cloudwatch.EventTarget(
            self.called("interruptions"),
            rule=rule.name,
            arn=queue.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        self.queue_url = queue.url
        self.register_outputs({"queueUrl": self.queue_url})
