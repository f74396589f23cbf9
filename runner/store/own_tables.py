"""Declare Rampart's own tables, which live beside RAMP's and are made by the migrations."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

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
    Column("cpu_time_s", Double),
    Column("containment", String(32)),
    Column("journal", JSON(none_as_null=True)),
    Column("lease_owner", String(255), nullable=False, server_default=""),
    Column("lease_token", String(64), nullable=False, server_default=""),
    Column("lease_expires_at", DateTime, index=True),
    Column("on_demand", Boolean, nullable=False, server_default=false()),
    Column("cancel_asked_at", DateTime),
    UniqueConstraint("submission_id", "generation", "attempt", name="uq_rampart_runs_attempt"),
)
_IS_SCORED = text("stage = 'scored'")
Index(
    "uq_rampart_runs_scored",
    runs.c.submission_id,
    runs.c.generation,
    unique=True,
    sqlite_where=_IS_SCORED,
    postgresql_where=_IS_SCORED,
)

launches = Table(
    "rampart_launches",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("client_token", String(64), nullable=False, unique=True),
    Column("parameters", JSON, nullable=False),
    Column("host_key", Text, nullable=False),
    Column("intended_at", DateTime, nullable=False),
    Column("answered_at", DateTime),
)

# The runs a launch is for, one instance each: empty until EC2 has answered, or where it gave none.
launch_runs = Table(
    "rampart_launch_runs",
    metadata,
    Column("launch_id", ForeignKey("rampart_launches.id", ondelete="CASCADE"), primary_key=True),
    Column("run_id", ForeignKey("rampart_runs.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("instance_id", String(255), nullable=False, server_default=""),
    Column("own_key", String(255), nullable=False, server_default=""),
)

transitions = Table(
    "rampart_transitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", ForeignKey("rampart_runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("from_stage", String(32), nullable=False),
    Column("to_stage", String(32), nullable=False),
    Column("at", DateTime, nullable=False),
    Column("detail", Text, nullable=False),
)

# Why a submission in state `new` waits, and until when by the database's time (None: until somebody says so).
holds = Table(
    "rampart_holds",
    metadata,
    Column("submission_id", Integer, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("since", DateTime, nullable=False),
    Column("not_before", DateTime),
    Column("on_demand", Boolean, nullable=False, server_default=false()),
)

# What is to be remembered of an event: organiser errors in a row, its pause, the image it is pinned to.
event_states = Table(
    "rampart_events",
    metadata,
    Column("event", String(255), primary_key=True),
    Column("organiser_errors", Integer, nullable=False, server_default="0"),
    Column("paused_at", DateTime),
    Column("pause_reason", Text, nullable=False, server_default=""),
    Column("pinned_image_id", String(255), nullable=False, server_default=""),
)

# What is known of the machine images an event ran on or may run on; it stays when the image is gone.
images = Table(
    "rampart_images",
    metadata,
    Column("event", String(255), primary_key=True),
    Column("image_id", String(255), primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("status", String(32), nullable=False),
    Column("provenance", JSON, nullable=False),
    Column("build_s", Double),
    Column("boot_s", Double),
    Column("checks", JSON, nullable=False),
    Column("verified_at", DateTime),
)

# What came of each canary of an event, on which host or machine.
canaries = Table(
    "rampart_canaries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event", String(255), nullable=False, index=True),
    Column("host", String(255), nullable=False),
    Column("containment", String(32), nullable=False),
    Column("is_blind", Boolean, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("tried", Integer, nullable=False),
    Column("not_stopped", JSON, nullable=False),
    Column("ran_at", DateTime, nullable=False),
)
