"""Convert between aware datetimes and RAMP's naive ones, which mean UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def naive_utc(moment: datetime) -> datetime:
    """Give the moment as the database keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: datetime) -> datetime:
    """Give what the database kept as a moment."""
    return moment.replace(tzinfo=UTC)
