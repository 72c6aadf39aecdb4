"""Version 7: the processor and the kernel of the host, for guests under KVM."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "7"
down_revision = "6"


def upgrade() -> None:
    """Add the column; of older results nobody knows."""
    op.add_column("identities", sa.Column("host", sa.Text(), nullable=False, server_default=""))
