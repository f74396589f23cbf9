"""Remember what contained a run's job, and how much processor time it took."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns `containment` and `cpu_time_s` of `rampart_runs`."""
    op.add_column("rampart_runs", sa.Column("containment", sa.String(32)))
    op.add_column("rampart_runs", sa.Column("cpu_time_s", sa.Double))
