"""Make what carries events: EventBridge's rules and targets, SQS's queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.errors import CloudError
from localcloud.deployer.handler import Created, Handler, Made, Wanted
from localcloud.deployer.shapes import chosen, tag_list


def _create_queue(wanted: Wanted) -> Created:
    sqs = wanted.client("sqs")
    attributes = chosen(
        wanted.inputs,
        "delaySeconds",
        "fifoQueue",
        "kmsMasterKeyId",
        "policy",
        "redrivePolicy",
        "sqsManagedSseEnabled",
        maxMessageSize="MaximumMessageSize",
        messageRetentionSeconds="MessageRetentionPeriod",
        receiveWaitTimeSeconds="ReceiveMessageWaitTimeSeconds",
        visibilityTimeoutSeconds="VisibilityTimeout",
    )
    url = sqs.create_queue(
        QueueName=wanted.inputs["name"],
        Attributes={name: _text(value) for name, value in attributes.items()},
        tags=wanted.inputs.get("tags", {}),
    )["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return Created(url, {"arn": arn, "url": url})


def _text(value: Any) -> str:
    """Spell an attribute as SQS takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put_queue_policy(wanted: Wanted) -> Created:
    url = wanted.inputs["queueUrl"]
    wanted.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": wanted.inputs["policy"]})
    return Created(url, {})


def _find_queue_policy(made: Made) -> bool:
    found = made.client("sqs").get_queue_attributes(QueueUrl=made.id, AttributeNames=["Policy"])
    return bool(found.get("Attributes", {}).get("Policy"))


def _create_rule(wanted: Wanted) -> Created:
    name = wanted.inputs["name"]
    given = chosen(
        wanted.inputs, "description", "eventBusName", "eventPattern", "roleArn", "scheduleExpression", "state"
    )
    answer = wanted.client("events").put_rule(Name=name, Tags=tag_list(wanted.inputs.get("tags", {})), **given)
    return Created(name, {"arn": answer["RuleArn"]})


def _put_target(wanted: Wanted) -> Created:
    inputs = wanted.inputs
    target = {"Id": inputs["targetId"], **chosen(inputs, "arn", "roleArn", "input", "inputPath")}
    answer = wanted.client("events").put_targets(Rule=inputs["rule"], Targets=[target], **_bus(inputs))
    if answer["FailedEntryCount"]:
        raise CloudError(f"could not give the rule {inputs['rule']} its target: {answer['FailedEntries']}")
    return Created(f"{inputs['rule']}-{inputs['targetId']}", {"targetId": inputs["targetId"]})


def _find_target(made: Made) -> bool:
    found = made.client("events").list_targets_by_rule(Rule=made.inputs["rule"], **_bus(made.inputs))
    return made.outputs["targetId"] in [target["Id"] for target in found["Targets"]]


def _bus(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return chosen(inputs, "eventBusName")


HANDLERS = {
    "aws:sqs/queue:Queue": Handler(
        _create_queue,
        lambda made: made.client("sqs").get_queue_attributes(QueueUrl=made.id),
        lambda made: made.client("sqs").delete_queue(QueueUrl=made.id),
        name_input="name",
    ),
    "aws:sqs/queuePolicy:QueuePolicy": Handler(
        _put_queue_policy,
        _find_queue_policy,
        lambda made: made.client("sqs").set_queue_attributes(QueueUrl=made.id, Attributes={"Policy": ""}),
        joins=True,
    ),
    "aws:cloudwatch/eventRule:EventRule": Handler(
        _create_rule,
        lambda made: made.client("events").describe_rule(Name=made.id, **_bus(made.inputs)),
        lambda made: made.client("events").delete_rule(Name=made.id, **_bus(made.inputs)),
        name_input="name",
    ),
    "aws:cloudwatch/eventTarget:EventTarget": Handler(
        _put_target,
        _find_target,
        lambda made: made.client("events").remove_targets(
            Rule=made.inputs["rule"], Ids=[made.outputs["targetId"]], **_bus(made.inputs)
        ),
        name_input="targetId",
    ),
}
