"""Remember what came of the canaries of an event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add `rampart_canaries`."""
    op.create_table(
        "rampart_canaries",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("event", sa.String(255), nullable=False, index=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("containment", sa.String(32), nullable=False),
        sa.Column("is_blind", sa.Boolean, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("tried", sa.Integer, nullable=False),
        sa.Column("not_stopped", sa.JSON, nullable=False),
        sa.Column("ran_at", sa.DateTime, nullable=False),
    )
