"""What alembic runs to migrate: ``database`` hands it a connection that is inside a transaction already."""

from __future__ import annotations

from alembic import context

from orchestrator.history.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # of SQLite, too: its transaction is ours, begun by hand
    render_as_batch=True,
)
context.run_migrations()
