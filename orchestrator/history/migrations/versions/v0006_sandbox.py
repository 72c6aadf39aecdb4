"""Version 6: what kept the programs of the tree under test in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """Add the column; of older results nobody knows."""
    op.add_column("identities", sa.Column("sandbox", sa.Text(), nullable=False, server_default=""))
