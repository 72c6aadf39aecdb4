"""Version 5: the other titles under which a splat may be known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Add the column; older splats have their title alone."""
    op.add_column("splats", sa.Column("other_titles", sa.JSON(), nullable=True))
