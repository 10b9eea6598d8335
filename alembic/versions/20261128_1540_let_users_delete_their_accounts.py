"""let users delete their accounts

Revision: 8e3b71d05c94
Follows: e3b7f05c9d14
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "8e3b71d05c94"
down_revision: str | None = "e3b7f05c9d14"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEX = "ix_users_deletion_due_at"


def upgrade() -> None:
    """Apply."""
    op.add_column("users", sa.Column("deletion_due_at", sa.DateTime(timezone=True), nullable=True))
    with op.get_context().autocommit_block():
        # An attempt that was interrupted leaves an index that is not used.
        op.drop_index(INDEX, "users", postgresql_concurrently=True, if_exists=True)
        is_due = sa.text("deletion_due_at IS NOT NULL")
        op.create_index(INDEX, "users", ["deletion_due_at"], postgresql_concurrently=True, postgresql_where=is_due)


def downgrade() -> None:
    """Undo: accounts that were to be deleted stay."""
    op.drop_index(INDEX, "users")
    op.drop_column("users", "deletion_due_at")
