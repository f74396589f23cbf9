"""Look at whether a budget would count, and whom it tells."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.findings import Finding, Level
from infra.preflight.known import Known
from infra.tags import STACK


def look(known: Known) -> Iterator[Finding]:
    """The budget's addresses, then the cost-allocation tag it counts by."""
    budget = known.event.infra.budget
    if budget is None:
        return
    yield Finding(Level.OK, "budget", f"{budget.monthly_usd:g} USD a month, told to {', '.join(budget.emails)}")
    status = known.survey.cost_tag_status(STACK)
    if status == "Active":
        yield Finding(Level.OK, "budget", f"the tag {STACK} counts in billing")
        return
    state = "is not active in billing" if status else "was not seen by billing yet"
    message = f"the tag {STACK} {state}: until it is, the budget counts nothing"
    activate = f"aws ce update-cost-allocation-tags-status --cost-allocation-tags-status TagKey={STACK},Status=Active"
    when = "" if status else " (a day after the first up)"
    yield Finding(Level.WARNING, "budget", message, f"in the account that pays: {activate}{when}")
