"""version roles

Revision: 5c8e1d94b7a3
Follows: 9d3e5a71c0b4
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5c8e1d94b7a3"
down_revision: str | None = "9d3e5a71c0b4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    # The default is for the rows that are there; new ones bring their own.
    op.add_column("roles", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("roles", "version", server_default=None)


def downgrade() -> None:
    """Undo."""
    op.drop_column("roles", "version")
