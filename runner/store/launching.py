"""Keep what EC2 was asked for, within one transaction of the caller's."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Connection, insert, select, update

from contracts.instance import Launch, LaunchRequest
from runner.store.own_tables import launches
from runner.store.times import naive_utc

_REQUEST = TypeAdapter(LaunchRequest)


def kept(connection: Connection, run_id: int) -> Launch | None:
    """Give the run's last launch, unless EC2 has refused it: then it was answered without an instance."""
    is_refused = (launches.c.instance_id == "") & launches.c.answered_at.is_not(None)
    query = select(launches).where(launches.c.run_id == run_id, ~is_refused).order_by(launches.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Launch(_REQUEST.validate_python(row.parameters), row.host_key, row.instance_id)


def keep(connection: Connection, run_id: int, launch: Launch, now: datetime) -> None:
    row = {
        "client_token": launch.request.client_token,
        "run_id": run_id,
        "parameters": _REQUEST.dump_python(launch.request, mode="json"),
        "host_key": launch.host_key,
        "instance_id": launch.instance_id,
        "intended_at": naive_utc(now),
    }
    connection.execute(insert(launches).values(row))


def answered(connection: Connection, client_token: str, instance_id: str, now: datetime) -> None:
    """The user data holds the host's private key, which nobody needs any more."""
    is_it = launches.c.client_token == client_token
    parameters = connection.execute(select(launches.c.parameters).where(is_it)).scalar_one() | {"user_data": ""}
    values = {"instance_id": instance_id, "parameters": parameters, "answered_at": naive_utc(now)}
    connection.execute(update(launches).where(is_it).values(values))
