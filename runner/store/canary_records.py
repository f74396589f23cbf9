"""Keep what came of the canaries of an event, by what they ran on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select

from contracts.work import Containment
from runner.store.database import Database
from runner.store.own_tables import canaries
from runner.store.times import aware, naive_utc


@dataclass(frozen=True, slots=True)
class CanaryRecord:
    """What came of one canary.

    `host` is the id of the image its host was launched from, or the name of the machine. `digest` names what was tried
    and by which walls it was to be stopped. `is_blind`: runs got no labels. Of `tried` attempts those of the names in
    `not_stopped` were not.
    """

    host: str
    containment: Containment
    is_blind: bool
    digest: str
    tried: int
    not_stopped: tuple[str, ...]
    ran_at: datetime


class CanaryRecords:
    """The canaries of a database's events. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, event: str, record: CanaryRecord) -> None:
        """Write what came of one more canary."""
        values = {
            "event": event,
            "host": record.host,
            "containment": record.containment.value,
            "is_blind": record.is_blind,
            "digest": record.digest,
            "tried": record.tried,
            "not_stopped": list(record.not_stopped),
            "ran_at": naive_utc(record.ran_at),
        }
        with self._database.writing() as connection:
            connection.execute(insert(canaries).values(**values))

    def last(self, event: str, host: str) -> CanaryRecord | None:
        """Give what came of the event's last canary on hosts like this one; None where there was none."""
        is_it = (canaries.c.event == event) & (canaries.c.host == host)
        query = select(canaries).where(is_it).order_by(canaries.c.id.desc()).limit(1)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return CanaryRecord(
            host=row.host,
            containment=Containment(row.containment),
            is_blind=row.is_blind,
            digest=row.digest,
            tried=row.tried,
            not_stopped=tuple(row.not_stopped),
            ran_at=aware(row.ran_at),
        )
