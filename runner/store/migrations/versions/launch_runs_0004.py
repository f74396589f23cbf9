"""Let one launch serve several runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Move run and instance from `rampart_launches` to `rampart_launch_runs`, a row for each run of a launch."""
    launches = sa.table("rampart_launches", *map(sa.column, ("id", "run_id", "instance_id")))
    known = op.get_bind().execute(sa.select(launches)).all()
    # SQLite drops columns by making the table anew, which would empty a table that already points to it
    with op.batch_alter_table("rampart_launches") as table:
        table.drop_index("ix_rampart_launches_run_id")
        table.drop_column("run_id")
        table.drop_column("instance_id")
    made = op.create_table(
        "rampart_launch_runs",
        sa.Column("launch_id", sa.Integer, sa.ForeignKey("rampart_launches.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "run_id", sa.Integer, sa.ForeignKey("rampart_runs.id", ondelete="CASCADE"), primary_key=True, index=True
        ),
        sa.Column("instance_id", sa.String(255), nullable=False, server_default=""),
    )
    if known:
        op.bulk_insert(
            made,
            [{"launch_id": one.id, "run_id": one.run_id, "instance_id": one.instance_id} for one in known],
        )
