"""Keep what EC2 was asked for, within one transaction of the caller's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, insert, select, update

from contracts.instance import Launch, LaunchRequest
from runner.store.own_tables import launch_runs, launches, runs
from runner.store.times import aware, naive_utc

_REQUEST = TypeAdapter(LaunchRequest)


def kept(connection: Connection, run_id: int) -> Launch | None:
    """Give the run's last launch, unless EC2 has answered it without an instance for this run."""
    is_refused = (launch_runs.c.instance_id == "") & launches.c.answered_at.is_not(None)
    query = (
        select(launches, launch_runs.c.instance_id, launch_runs.c.own_key)
        .join(launch_runs, launch_runs.c.launch_id == launches.c.id)
        .where(launch_runs.c.run_id == run_id, ~is_refused)
        .order_by(launches.c.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Launch(
        request=_REQUEST.validate_python(row.parameters),
        host_key=row.host_key,
        submission_ids=tuple(sorted(one.submission_id for one in _runs_of(connection, row.id))),
        intended_at=aware(row.intended_at),
        instance_id=row.instance_id,
        own_key=row.own_key,
    )


def keep(connection: Connection, run_ids: Collection[int], launch: Launch) -> None:
    row = {
        "client_token": launch.request.client_token,
        "parameters": _REQUEST.dump_python(launch.request, mode="json"),
        "host_key": launch.host_key,
        "intended_at": naive_utc(launch.intended_at),
    }
    launch_id = connection.execute(insert(launches).values(row).returning(launches.c.id)).scalar_one()
    connection.execute(insert(launch_runs), [{"launch_id": launch_id, "run_id": run_id} for run_id in run_ids])


def answered(
    connection: Connection, client_token: str, instance_ids: Mapping[int, str], now: datetime
) -> dict[int, str]:
    """Note the first answer, without the user data: it holds the hosts' private key, which nobody needs any more.

    Gives the instances that runs which go on hold, by submission.
    """
    query = select(launches).where(launches.c.client_token == client_token).with_for_update()
    launch = connection.execute(query).one()
    if launch.answered_at is None:
        values = {"parameters": launch.parameters | {"user_data": ""}, "answered_at": naive_utc(now)}
        connection.execute(update(launches).where(launches.c.id == launch.id).values(values))
        for run in _runs_of(connection, launch.id):
            if run.ended_at is None and run.submission_id in instance_ids:
                is_it = (launch_runs.c.launch_id == launch.id) & (launch_runs.c.run_id == run.id)
                values = {"instance_id": instance_ids[run.submission_id]}
                connection.execute(update(launch_runs).where(is_it).values(values))
    return {
        run.submission_id: run.instance_id
        for run in _runs_of(connection, launch.id)
        if run.instance_id and run.ended_at is None
    }


def forget_secrets(connection: Connection, run_id: int) -> None:
    """Drop the user data of a launch that never was answered, when the last of its runs has ended."""
    of_the_run = select(launch_runs.c.launch_id).where(launch_runs.c.run_id == run_id)
    goes_on = (
        select(launch_runs.c.launch_id)
        .join(runs, runs.c.id == launch_runs.c.run_id)
        .where(launch_runs.c.launch_id == launches.c.id, runs.c.ended_at.is_(None))
    )
    query = select(launches).where(launches.c.id.in_(of_the_run), launches.c.answered_at.is_(None), ~goes_on.exists())
    for launch in connection.execute(query).all():
        if launch.parameters.get("user_data"):
            values = {"parameters": launch.parameters | {"user_data": ""}}
            connection.execute(update(launches).where(launches.c.id == launch.id).values(values))


def note_own_key(connection: Connection, run_id: int, instance_id: str, own_key: str) -> None:
    is_it = (launch_runs.c.run_id == run_id) & (launch_runs.c.instance_id == instance_id)
    connection.execute(update(launch_runs).where(is_it).values(own_key=own_key))


def _runs_of(connection: Connection, launch_id: int) -> list[Row[Any]]:
    query = (
        select(runs.c.id, runs.c.submission_id, runs.c.ended_at, launch_runs.c.instance_id)
        .join(launch_runs, launch_runs.c.run_id == runs.c.id)
        .where(launch_runs.c.launch_id == launch_id)
        .order_by(runs.c.submission_id)
    )
    return list(connection.execute(query))
