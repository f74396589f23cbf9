"""Keep what is known of an event's machine images, and which one it is pinned to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from contracts.image import ImageCheck, ImageRecord, ImageStatus, Provenance
from runner.store.database import Database
from runner.store.own_tables import event_states, images, launch_runs, launches, runs
from runner.store.rows import RunEnd
from runner.store.tables import event_teams, events, submissions
from runner.store.times import aware, naive_utc

_PROOF = {
    ImageStatus.UNTESTED: 0,
    ImageStatus.TESTED: 1,
    ImageStatus.VERIFIED: 2,
    ImageStatus.REJECTED: 2,
}
"""A status that says less than the known one takes nothing back."""


@dataclass(frozen=True, slots=True)
class ImageUse:
    """What needs an image, as far as a database knows: by image id, each count above zero.

    `under_way` are the runs of all the database's events that go on with it or were launched from it, `pinned_by` the
    events that are pinned to it.
    """

    under_way: dict[str, int]
    pinned_by: dict[str, tuple[str, ...]]


class ImageRecords:
    """The images an event ran on or may run on. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, event: str, record: ImageRecord) -> None:
        """Write what is known of an image; what the record leaves empty, or says less of, stays as it was."""
        with self._database.writing() as connection:
            _make_sure(connection, images, _columns(event, record))
            is_it = _is(event, record.image_id)
            known = _record(connection.execute(select(images).where(is_it).with_for_update()).one())
            values = _columns(event, _merged(known, record))
            connection.execute(update(images).where(is_it).values(values))

    def all(self, event: str) -> tuple[ImageRecord, ...]:
        """Give every image of the event that was ever known, the newest first."""
        query = select(images).where(images.c.event == event)
        with self._database.reading() as connection:
            newest_first = query.order_by(images.c.created_at.desc(), images.c.image_id.desc())
            return tuple(map(_record, connection.execute(newest_first)))

    def get(self, event: str, image_id: str) -> ImageRecord | None:
        """Give one image; None where it was never known."""
        with self._database.reading() as connection:
            row = connection.execute(select(images).where(_is(event, image_id))).one_or_none()
        return _record(row) if row is not None else None

    def pin(self, event: str, image_id: str | None) -> None:
        """Pin the event to an image; None lets it follow the newest again."""
        with self._database.writing() as connection:
            _make_sure(connection, event_states, {"event": event})
            values = {"pinned_image_id": image_id or ""}
            connection.execute(update(event_states).where(event_states.c.event == event).values(values))

    def pinned(self, event: str) -> str:
        """Give the id of the image the event is pinned to; empty where it follows the newest."""
        query = select(event_states.c.pinned_image_id).where(event_states.c.event == event)
        with self._database.reading() as connection:
            return connection.scalar(query) or ""

    def last_build_s(self, event: str) -> float | None:
        """Tell how long the event's newest image took to build, in seconds; None where no build was measured."""
        measured = (images.c.event == event) & images.c.build_s.is_not(None)
        query = select(images.c.build_s).where(measured).order_by(images.c.created_at.desc()).limit(1)
        with self._database.reading() as connection:
            return connection.scalar(query)

    def use(self) -> ImageUse:
        """Say which images runs and events of this database need."""
        with self._database.reading() as connection:
            return ImageUse(_under_way(connection), _pinned_by(connection))

    def scores(self, event: str) -> dict[str, int]:
        """Count the event's results that came from each image, also those of earlier generations."""
        query = (
            select(runs.c.image_id, func.count().label("scores"))
            .join(submissions, submissions.c.id == runs.c.submission_id)
            .join(event_teams, event_teams.c.id == submissions.c.event_team_id)
            .join(events, events.c.id == event_teams.c.event_id)
            .where(events.c.name == event, runs.c.stage == RunEnd.SCORED.value, runs.c.image_id != "")
            .group_by(runs.c.image_id)
        )
        with self._database.reading() as connection:
            return {row.image_id: row.scores for row in connection.execute(query)}


def _is(event: str, image_id: str) -> ColumnElement[bool]:
    return (images.c.event == event) & (images.c.image_id == image_id)


def _make_sure(connection: Connection, table: Any, values: Mapping[str, Any]) -> None:
    """Let a row be there, whoever else makes it at the same time."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).values(**values).on_conflict_do_nothing())


def _merged(known: ImageRecord, new: ImageRecord) -> ImageRecord:
    has_more = _PROOF[new.status] >= _PROOF[known.status]
    return ImageRecord(
        image_id=known.image_id,
        name=new.name or known.name,
        created_at=new.created_at,
        status=new.status if has_more else known.status,
        provenance=_merged_provenance(known.provenance, new.provenance),
        build_s=known.build_s if new.build_s is None else new.build_s,
        boot_s=known.boot_s if new.boot_s is None else new.boot_s,
        checks=new.checks or known.checks,
        verified_at=new.verified_at or known.verified_at,
    )


def _merged_provenance(known: Provenance, new: Provenance) -> Provenance:
    told = {one.name: value for one in dataclasses.fields(new) if (value := getattr(new, one.name))}
    return dataclasses.replace(known, **told)


def _columns(event: str, record: ImageRecord) -> dict[str, Any]:
    return {
        "event": event,
        "image_id": record.image_id,
        "name": record.name,
        "created_at": naive_utc(record.created_at),
        "status": record.status.value,
        "provenance": dataclasses.asdict(record.provenance),
        "build_s": record.build_s,
        "boot_s": record.boot_s,
        "checks": [dataclasses.asdict(check) for check in record.checks],
        "verified_at": naive_utc(record.verified_at) if record.verified_at else None,
    }


def _record(row: Row[Any]) -> ImageRecord:
    return ImageRecord(
        image_id=row.image_id,
        name=row.name,
        created_at=aware(row.created_at),
        status=ImageStatus(row.status),
        provenance=Provenance(**row.provenance),
        build_s=row.build_s,
        boot_s=row.boot_s,
        checks=tuple(ImageCheck(**check) for check in row.checks),
        verified_at=aware(row.verified_at) if row.verified_at else None,
    )


def _under_way(connection: Connection) -> dict[str, int]:
    """Count the runs that go on by their image: that of their host, else that of the launch that was asked for."""
    goes_on = runs.c.ended_at.is_(None)
    by_run: dict[int, str] = {
        row.id: row.image_id
        for row in connection.execute(select(runs.c.id, runs.c.image_id).where(goes_on, runs.c.image_id != ""))
    }
    asked = (
        select(launch_runs.c.run_id, launches.c.parameters)
        .join(launches, launches.c.id == launch_runs.c.launch_id)
        .join(runs, runs.c.id == launch_runs.c.run_id)
        .where(goes_on, runs.c.image_id == "")
        .order_by(launches.c.id)
    )
    by_run |= {row.run_id: str(row.parameters.get("image_id", "")) for row in connection.execute(asked)}
    counts: dict[str, int] = {}
    for image_id in filter(None, by_run.values()):
        counts[image_id] = counts.get(image_id, 0) + 1
    return counts


def _pinned_by(connection: Connection) -> dict[str, tuple[str, ...]]:
    is_pinned = event_states.c.pinned_image_id != ""
    found: dict[str, tuple[str, ...]] = {}
    query = select(event_states.c.event, event_states.c.pinned_image_id).where(is_pinned).order_by(event_states.c.event)
    for row in connection.execute(query):
        found[row.pinned_image_id] = (*found.get(row.pinned_image_id, ()), row.event)
    return found
