"""version and author notices

Revision: 9d3e5a71c0b4
Follows: 7b0d5e2c91fa
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9d3e5a71c0b4"
down_revision: str | None = "7b0d5e2c91fa"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("notices", sa.Column("created_by", sa.Uuid(), nullable=True))
    op.add_column("notices", sa.Column("updated_by", sa.Uuid(), nullable=True))
    # The default is for the rows that are there; new ones bring their own.
    op.add_column("notices", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.alter_column("notices", "version", server_default=None)


def downgrade() -> None:
    """Undo."""
    op.drop_column("notices", "version")
    op.drop_column("notices", "updated_by")
    op.drop_column("notices", "created_by")
