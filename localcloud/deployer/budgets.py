"""Make AWS Budgets."""

from __future__ import annotations

from typing import Any

from localcloud.deployer.handler import Created, Handler, Made, Wanted
from localcloud.deployer.shapes import chosen, tag_list


def _create(wanted: Wanted) -> Created:
    inputs = wanted.inputs
    account = wanted.client("sts").get_caller_identity()["Account"]
    name = inputs["name"]
    filters = {each["name"]: each["values"] for each in inputs.get("costFilters", [])}
    wanted.client("budgets").create_budget(
        AccountId=account,
        Budget={
            "BudgetName": name,
            "BudgetLimit": {"Amount": str(inputs["limitAmount"]), "Unit": inputs["limitUnit"]},
            "CostFilters": filters,
            **chosen(inputs, "budgetType", "timeUnit", "costTypes"),
        },
        NotificationsWithSubscribers=[_notification(each) for each in inputs.get("notifications", [])],
        **({"ResourceTags": tag_list(inputs["tags"])} if inputs.get("tags") else {}),
    )
    return Created(f"{account}:{name}", {"accountId": account, "arn": f"arn:aws:budgets::{account}:budget/{name}"})


def _notification(declared: dict[str, Any]) -> dict[str, Any]:
    kinds = (("EMAIL", "subscriberEmailAddresses"), ("SNS", "subscriberSnsTopicArns"))
    return {
        "Notification": chosen(declared, "notificationType", "comparisonOperator", "threshold", "thresholdType"),
        "Subscribers": [
            {"SubscriptionType": kind, "Address": address} for kind, name in kinds for address in declared.get(name, [])
        ],
    }


def _named(made: Made) -> dict[str, str]:
    account, _, name = made.id.partition(":")
    return {"AccountId": account, "BudgetName": name}


HANDLERS = {
    "aws:budgets/budget:Budget": Handler(
        _create,
        lambda made: made.client("budgets").describe_budget(**_named(made)),
        lambda made: made.client("budgets").delete_budget(**_named(made)),
        name_input="name",
    ),
}
