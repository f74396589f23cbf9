"""Remember the SSH host key an instance made for itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column `own_key` of `rampart_launch_runs`."""
    op.add_column("rampart_launch_runs", sa.Column("own_key", sa.String(255), nullable=False, server_default=""))
