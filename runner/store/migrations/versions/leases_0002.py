"""Give runs leases: with a journal, a record of launches, a history of stages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_IS_SCORED = sa.text("stage = 'scored'")


def upgrade() -> None:
    """Add the columns, `rampart_launches` and `rampart_transitions`; a run nobody leased can be adopted at once."""
    op.add_column("rampart_runs", sa.Column("journal", sa.JSON))
    op.add_column("rampart_runs", sa.Column("lease_owner", sa.String(255), nullable=False, server_default=""))
    op.add_column("rampart_runs", sa.Column("lease_token", sa.String(64), nullable=False, server_default=""))
    op.add_column("rampart_runs", sa.Column("lease_expires_at", sa.DateTime))
    op.execute("UPDATE rampart_runs SET lease_expires_at = started_at WHERE ended_at IS NULL")
    op.create_index("ix_rampart_runs_lease_expires_at", "rampart_runs", ["lease_expires_at"])
    op.create_index(
        "uq_rampart_runs_scored",
        "rampart_runs",
        ["submission_id", "generation"],
        unique=True,
        sqlite_where=_IS_SCORED,
        postgresql_where=_IS_SCORED,
    )
    op.create_table(
        "rampart_launches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("client_token", sa.String(64), nullable=False, unique=True),
        sa.Column(
            "run_id", sa.Integer, sa.ForeignKey("rampart_runs.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("parameters", sa.JSON, nullable=False),
        sa.Column("host_key", sa.Text, nullable=False),
        sa.Column("instance_id", sa.String(255), nullable=False),
        sa.Column("intended_at", sa.DateTime, nullable=False),
        sa.Column("answered_at", sa.DateTime),
    )
    op.create_table(
        "rampart_transitions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "run_id", sa.Integer, sa.ForeignKey("rampart_runs.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("from_stage", sa.String(32), nullable=False),
        sa.Column("to_stage", sa.String(32), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop them again."""
    op.drop_table("rampart_transitions")
    op.drop_table("rampart_launches")
    op.drop_index("uq_rampart_runs_scored", "rampart_runs")
    op.drop_index("ix_rampart_runs_lease_expires_at", "rampart_runs")
    for name in ("lease_expires_at", "lease_token", "lease_owner", "journal"):
        op.drop_column("rampart_runs", name)
