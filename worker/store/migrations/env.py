"""Alembic's environment: the connection is handed in by worker/store/engine.py, which owns the transaction."""

from alembic import context

from worker.store import tables

schema = context.config.attributes["schema"]
metadata = {"store": tables.Table.metadata, "keyring": tables.KeyringTable.metadata}[schema]

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=f"alembic_version_{schema}",
)
context.run_migrations()
