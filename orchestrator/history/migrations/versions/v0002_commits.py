"""Version 2: the commits that a job was built from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the columns; of older jobs nobody knows."""
    op.add_column("jobs", sa.Column("commit", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("base", sa.Text(), nullable=True))
