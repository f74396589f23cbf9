"""Run the migrations in the transaction that `runner.store.migrate` opened; loaded by Alembic."""

from __future__ import annotations

from alembic import context

from runner.store import own_tables

# RAMP keeps a version table of its own in the same database.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=own_tables.metadata,
    version_table="rampart_schema",
)
with context.begin_transaction():
    context.run_migrations()
