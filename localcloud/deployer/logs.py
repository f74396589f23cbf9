"""Make what keeps logs: CloudWatch's groups, the flow logs of networks."""

from __future__ import annotations

from localcloud.deployer.handler import Created, Handler, Made, Wanted, or_undone
from localcloud.deployer.shapes import arn_of, chosen, tag_specifications


def _create_group(wanted: Wanted) -> Created:
    logs, name = wanted.client("logs"), wanted.inputs["name"]
    logs.create_log_group(logGroupName=name, tags=wanted.inputs.get("tags", {}))
    days = wanted.inputs.get("retentionInDays", 0)
    with or_undone(lambda: logs.delete_log_group(logGroupName=name)):
        if days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    [group] = [each for each in _groups(wanted, name) if each["logGroupName"] == name]
    return Created(name, {"arn": group["arn"].removesuffix(":*")})


def _groups(place: Wanted | Made, name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = place.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return found


def _create_flow_log(wanted: Wanted) -> Created:
    inputs = wanted.inputs
    kind, place = next((kind, inputs[name]) for name, kind in _FLOWING if name in inputs)
    given = chosen(inputs, *_OF_A_FLOW_LOG, iamRoleArn="DeliverLogsPermissionArn")
    if given.get("LogDestinationType", "cloud-watch-logs") == "cloud-watch-logs":
        given["LogGroupName"] = given.pop("LogDestination").rpartition(":log-group:")[2].removesuffix(":*")
    answer = wanted.client("ec2").create_flow_logs(
        ResourceIds=[place], ResourceType=kind, TagSpecifications=tag_specifications(wanted, "vpc-flow-log"), **given
    )
    [identity] = answer["FlowLogIds"]
    return Created(identity, {"arn": arn_of(wanted, "ec2", f"vpc-flow-log/{identity}")})


_FLOWING = (("vpcId", "VPC"), ("subnetId", "Subnet"), ("eniId", "NetworkInterface"))
_OF_A_FLOW_LOG = ("trafficType", "logDestination", "logDestinationType", "maxAggregationInterval", "logFormat")

HANDLERS = {
    "aws:cloudwatch/logGroup:LogGroup": Handler(
        _create_group,
        lambda made: made.id in [group["logGroupName"] for group in _groups(made, made.id)],
        lambda made: made.client("logs").delete_log_group(logGroupName=made.id),
        name_input="name",
    ),
    "aws:ec2/flowLog:FlowLog": Handler(
        _create_flow_log,
        lambda made: made.client("ec2").describe_flow_logs(FlowLogIds=[made.id])["FlowLogs"] != [],
        lambda made: made.client("ec2").delete_flow_logs(FlowLogIds=[made.id]),
        joins=True,  # one per network and group
    ),
}
