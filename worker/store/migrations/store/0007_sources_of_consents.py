"""how a consent was learnt"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "consent", sa.Column("source", sa.Text(), server_default=sa.text("'channel'"), nullable=False)
    )
