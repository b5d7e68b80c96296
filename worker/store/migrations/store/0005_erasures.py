"""erasures are counted"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "decision_chain", sa.Column("erasures", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )
