"""Version 4: the tests that a job was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the column; of older jobs nobody knows."""
    op.add_column("jobs", sa.Column("asked", sa.JSON(), nullable=True))
