"""Flow logs, and who may write them."""

from __future__ import annotations

import json
from typing import Any

from infra import policies
from infra.flow_logs import FlowLogs, FlowLogsArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

GROUP = "arn:aws:logs:eu-west-3:111122223333:log-group:/rampart/iris/flow-logs"


def _flow_logs(boundary: str | None = None) -> Recording:
    args = FlowLogsArgs("vpc-1", 30, "eu-west-3", boundary, Labels(event="iris", stack="iris"))
    return record(lambda: {"log_group": FlowLogs("flow-logs", args).log_group})


def test_all_connections_of_the_vpc_are_logged_where_they_are_kept_for_the_days_asked() -> None:
    recording = _flow_logs()
    group, log = recording.only(":LogGroup").inputs, recording.only(":FlowLog").inputs

    assert (group["namePrefix"], group["retentionInDays"]) == ("/rampart/iris/flow-logs-", 30)
    assert recording.outputs["log_group"] == "rampart-iris-flow-logs"
    assert (log["vpcId"], log["trafficType"]) == ("vpc-1", "ALL")
    assert log["logDestination"] == "arn:aws:test:::rampart-iris-flow-logs"
    assert log["iamRoleArn"] == "arn:aws:test:::rampart-iris-flow-logs-writer"
    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []


def test_the_log_begins_when_its_role_may_write() -> None:
    assert _flow_logs().only(":FlowLog").depends_on("rampart-iris-flow-logs-writing")


def test_the_role_writes_to_its_log_group_and_to_nothing_else() -> None:
    recording = _flow_logs()
    policy = recording.only(":RolePolicy").inputs

    assert policy["role"] == "rampart-iris-flow-logs-writer"
    assert json.loads(policy["policy"]) == policies.writes_flow_logs("arn:aws:test:::rampart-iris-flow-logs")
    find, write = policies.writes_flow_logs(GROUP)["Statement"]
    assert write["Resource"] == [GROUP, f"{GROUP}:*"]
    assert set(write["Action"]) == {"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"}
    assert (find["Action"], find["Resource"]) == (
        "logs:DescribeLogGroups",
        "arn:aws:logs:eu-west-3:111122223333:log-group:*",
    )


def test_the_role_is_taken_by_this_accounts_flow_logs_alone() -> None:
    document: dict[str, Any] = policies.assumed_by_flow_logs("aws-cn", "cn-north-1", "111122223333")
    (statement,) = document["Statement"]

    assert statement["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws-cn:ec2:cn-north-1:111122223333:vpc-flow-log/*"},
    }
    (declared,) = json.loads(_flow_logs().only(":Role").inputs["assumeRolePolicy"])["Statement"]
    assert declared["Condition"]["ArnLike"]["aws:SourceArn"].startswith("arn:aws:ec2:eu-west-3:")


def test_the_role_is_bounded_where_the_account_demands_it() -> None:
    boundary = "arn:aws:iam::111122223333:policy/boundary"

    assert _flow_logs(boundary).only(":Role").inputs["permissionsBoundary"] == boundary
    assert "permissionsBoundary" not in _flow_logs().only(":Role").inputs
