"""Declare who is told when an event costs too much."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import tags
from infra.component import Component
from infra.tags import Labels

SPENT_PERCENT = (50, 80, 100)
FORECAST_PERCENT = 100


@dataclass(frozen=True)
class SpendingArgs:
    """How much a month may cost, in US dollars, and whom to tell."""

    monthly_usd: float
    emails: tuple[str, ...]
    labels: Labels


class Spending(Component):
    """A monthly budget of what carries the stack's tag; it tells, and stops nothing."""

    budget_name: pulumi.Output[str]

    def __init__(self, name: str, args: SpendingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Spending", name, args.labels, opts)
        budget = aws.budgets.Budget(
            self.called("budget"),
            budget_type="COST",
            limit_amount=f"{args.monthly_usd:.2f}",
            limit_unit="USD",
            time_unit="MONTHLY",
            # counts only once the account's billing knows the tag as a cost allocation tag
            cost_filters=[
                aws.budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:{tags.STACK}${args.labels.stack}"])
            ],
            notifications=[
                *(_above(percent, "ACTUAL", args.emails) for percent in SPENT_PERCENT),
                _above(FORECAST_PERCENT, "FORECASTED", args.emails),
            ],
            tags=self.tags("budget"),
            opts=self.inside,
        )
        self.budget_name = budget.name
        self.register_outputs({"budgetName": self.budget_name})


def _above(percent: int, of: str, emails: tuple[str, ...]) -> aws.budgets.BudgetNotificationArgs:
    return aws.budgets.BudgetNotificationArgs(
        comparison_operator="GREATER_THAN",
        notification_type=of,
        threshold=percent,
        threshold_type="PERCENTAGE",
        subscriber_email_addresses=list(emails),
    )
