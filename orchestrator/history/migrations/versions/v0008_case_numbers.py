"""Version 8: the program of a case, and the number of its line, where its name is a text that tells what came of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Add the columns; of older results nobody knows."""
    op.add_column("outcomes", sa.Column("program", sa.Text(), nullable=False, server_default=""))
    op.add_column("outcomes", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
