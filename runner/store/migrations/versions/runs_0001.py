"""Make the table of runs: one row per attempt at a submission."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make `rampart_runs`."""
    op.create_table(
        "rampart_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("submission_id", sa.Integer, nullable=False, index=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker_type", sa.String(255), nullable=False),
        sa.Column("stage", sa.String(32), nullable=False),
        sa.Column("stage_since", sa.DateTime, nullable=False),
        sa.Column("steps_s", sa.JSON, nullable=False),
        sa.Column("host_id", sa.String(255), nullable=False),
        sa.Column("image_id", sa.String(255), nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("ended_at", sa.DateTime),
        sa.Column("exit_code", sa.Integer),
        sa.Column("cause", sa.String(32)),
        sa.Column("blame", sa.String(32)),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("peak_memory_bytes", sa.BigInteger),
        sa.UniqueConstraint("submission_id", "generation", "attempt", name="uq_rampart_runs_attempt"),
    )


def downgrade() -> None:
    """Drop `rampart_runs`."""
    op.drop_table("rampart_runs")
