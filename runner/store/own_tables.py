"""Declare Rampart's own tables, which live beside RAMP's and are made by the migrations."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, DateTime, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

runs = Table(
    "rampart_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    # No foreign key: a constraint on RAMP's table would change what RAMP may do with it.
    Column("submission_id", Integer, nullable=False, index=True),
    Column("generation", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker_type", String(255), nullable=False),
    Column("stage", String(32), nullable=False),
    Column("stage_since", DateTime, nullable=False),
    Column("steps_s", JSON, nullable=False),
    Column("host_id", String(255), nullable=False),
    Column("image_id", String(255), nullable=False),
    Column("started_at", DateTime, nullable=False),
    Column("ended_at", DateTime),
    Column("exit_code", Integer),
    Column("cause", String(32)),
    Column("blame", String(32)),
    Column("message", Text, nullable=False),
    Column("peak_memory_bytes", BigInteger),
    UniqueConstraint("submission_id", "generation", "attempt", name="uq_rampart_runs_attempt"),
)
