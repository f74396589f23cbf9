"""Keep a log of the connections in a VPC."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming, policies
from infra.component import Component
from infra.tags import Labels


@dataclass(frozen=True)
class FlowLogsArgs:
    """The VPC, how many days its log is kept, and the policy that bounds the role which writes it."""

    vpc_id: pulumi.Input[str]
    retention_days: int
    region: str
    permissions_boundary: str | None
    labels: Labels


class FlowLogs(Component):
    """A log group, a role that may write to it and to nothing else, and the flow log of all traffic."""

    log_group: pulumi.Output[str]

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("FlowLogs", name, args.labels, opts)
        self._args = args
        group = aws.cloudwatch.LogGroup(
            self.called("flow-logs"),
            # a name of its own each time: the flow log makes the group it misses, an interrupted up leaves one behind
            name_prefix=f"/rampart/{args.labels.event}/flow-logs-",
            retention_in_days=args.retention_days,
            tags=self.tags("flow-logs"),
            opts=self.inside,
        )
        role = self._writer(group)
        permission = aws.iam.RolePolicy(
            self.called("flow-logs-writing"),
            role=role.name,
            policy=group.arn.apply(lambda arn: json.dumps(policies.writes_flow_logs(arn))),
            opts=self.inside,
        )
        aws.ec2.FlowLog(
            self.called("flow-log"),
            vpc_id=args.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            tags=self.tags("flow-log"),
            opts=pulumi.ResourceOptions.merge(self.inside, pulumi.ResourceOptions(depends_on=[permission])),
        )
        self.log_group = group.name
        self.register_outputs({"logGroup": self.log_group})

    def _writer(self, group: aws.cloudwatch.LogGroup) -> aws.iam.Role:
        region = self._args.region
        partition = naming.partition(region)
        # the account is a field of every ARN: no lookup is needed for it
        trust = group.arn.apply(
            lambda arn: json.dumps(policies.assumed_by_flow_logs(partition, region, arn.split(":")[4]))
        )
        return aws.iam.Role(
            self.called("flow-logs-writer"),
            description=f"Writes the flow logs of the event {self.labels.event}",
            assume_role_policy=trust,
            permissions_boundary=self._args.permissions_boundary,
            tags=self.tags("flow-logs-writer"),
            opts=self.inside,
        )
