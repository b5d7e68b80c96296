"""content by month"""

import sqlalchemy as sa
from alembic import op

from worker.store import partitions

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply: old content is found by its age; on PostgreSQL each month's stands in a table of its own."""
    op.create_index(
        "message_by_content",
        "message",
        ["tenant", "content"],
        unique=False,
        sqlite_where=sa.text("content IS NOT NULL"),
        postgresql_where=sa.text("content IS NOT NULL"),
    )
    if op.get_bind().dialect.name == "postgresql":
        partitions.begin(op.get_bind())
