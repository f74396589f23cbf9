"""A budget tells of the stack's costs, in time."""

from __future__ import annotations

import pytest

from infra.spending import Spending, SpendingArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record


def _spending(monthly_usd: float = 100, emails: tuple[str, ...] = ("you@example.org", "me@example.org")) -> Recording:
    args = SpendingArgs(monthly_usd, emails, Labels(event="iris", stack="iris"))
    return record(lambda: {"budget_name": Spending("spending", args).budget_name})


def test_the_budget_is_of_a_month_and_of_what_carries_the_stacks_tag() -> None:
    recording = _spending()
    budget = recording.only(":Budget").inputs

    assert (budget["budgetType"], budget["timeUnit"], budget["limitUnit"]) == ("COST", "MONTHLY", "USD")
    assert budget["costFilters"] == [{"name": "TagKeyValue", "values": ["user:rampart:stack$iris"]}]
    assert recording.outputs == {"budget_name": "rampart-iris-budget"}


def test_everybody_is_told_at_half_at_four_fifths_at_all_and_when_the_forecast_passes_it() -> None:
    notifications = _spending().only(":Budget").inputs["notifications"]

    assert [(each["notificationType"], each["threshold"]) for each in notifications] == [
        ("ACTUAL", 50),
        ("ACTUAL", 80),
        ("ACTUAL", 100),
        ("FORECASTED", 100),
    ]
    for each in notifications:
        assert (each["thresholdType"], each["comparisonOperator"]) == ("PERCENTAGE", "GREATER_THAN")
        assert each["subscriberEmailAddresses"] == ["you@example.org", "me@example.org"]


@pytest.mark.parametrize(("usd", "written"), [(100, "100.00"), (0.1 + 0.2, "0.30"), (1_000_000, "1000000.00")])
def test_an_amount_is_written_in_cents(usd: float, written: str) -> None:
    assert _spending(usd).only(":Budget").inputs["limitAmount"] == written


def test_the_budget_is_named_and_tagged_as_aws_takes_it() -> None:
    assert promises.untagged(_spending()) == []
    assert promises.misnamed(_spending()) == []
