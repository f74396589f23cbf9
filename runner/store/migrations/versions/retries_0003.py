"""Give submissions reasons to wait, events a pause, runs a wish to be cancelled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add `rampart_holds`, `rampart_events` and the columns `on_demand` and `cancel_asked_at`."""
    op.add_column("rampart_runs", sa.Column("on_demand", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("rampart_runs", sa.Column("cancel_asked_at", sa.DateTime))
    op.create_table(
        "rampart_holds",
        sa.Column("submission_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("not_before", sa.DateTime),
        sa.Column("on_demand", sa.Boolean, nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "rampart_events",
        sa.Column("event", sa.String(255), primary_key=True),
        sa.Column("organiser_errors", sa.Integer, nullable=False, server_default="0"),
        sa.Column("paused_at", sa.DateTime),
        sa.Column("pause_reason", sa.Text, nullable=False, server_default=""),
    )
