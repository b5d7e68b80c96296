"""Alembic's environment: the connection is handed in by worker/store/engine.py, which owns the transaction."""

from typing import Any, Literal

from alembic import context

from worker.store import tables

schema = context.config.attributes["schema"]
metadata = {"store": tables.Table.metadata, "keyring": tables.KeyringTable.metadata}[schema]


def render(kind: str, value: Any, _context: Any) -> str | Literal[False]:
    """Write our own binary type into migrations under its plain name."""
    return "sa.LargeBinary()" if kind == "type" and isinstance(value, tables.Bytes) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=f"alembic_version_{schema}",
    render_item=render,
)
context.run_migrations()
