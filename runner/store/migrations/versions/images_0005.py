"""Remember an event's machine images, with the one it is pinned to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add `rampart_images` and the column `pinned_image_id` of `rampart_events`."""
    op.add_column("rampart_events", sa.Column("pinned_image_id", sa.String(255), nullable=False, server_default=""))
    op.create_table(
        "rampart_images",
        sa.Column("event", sa.String(255), primary_key=True),
        sa.Column("image_id", sa.String(255), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("provenance", sa.JSON, nullable=False),
        sa.Column("build_s", sa.Double),
        sa.Column("boot_s", sa.Double),
        sa.Column("checks", sa.JSON, nullable=False),
        sa.Column("verified_at", sa.DateTime),
    )
