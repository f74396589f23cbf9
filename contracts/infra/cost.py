"""`infra.budget`: when to be told of what the event costs."""

from __future__ import annotations

from pydantic import Field

from contracts.infra.values import Dollars, EMail
from contracts.section import Section


class Budget(Section):
    """`infra.budget`: an AWS Budget of the event's tag; it tells, and stops nothing."""

    monthly_usd: Dollars = Field(
        description="US dollars a month; e-mails at 50, 80 and 100 % of it, and when the forecast passes it",
        examples=["100"],
    )
    emails: tuple[EMail, ...] = Field(
        description="whom to tell, 1 to 10 addresses", min_length=1, max_length=10, examples=["[you@example.org]"]
    )
