"""let files end

Revision: 41d9c6b8e7a2
Follows: 8e3b71d05c94
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "41d9c6b8e7a2"
down_revision: str | None = "8e3b71d05c94"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEX = "ix_files_delete_at"


def upgrade() -> None:
    """Apply."""
    op.add_column("files", sa.Column("delete_at", sa.DateTime(timezone=True), nullable=True))
    with op.get_context().autocommit_block():
        # An attempt that was interrupted leaves an index that is not used.
        op.drop_index(INDEX, "files", postgresql_concurrently=True, if_exists=True)
        will_end = sa.text("delete_at IS NOT NULL")
        op.create_index(INDEX, "files", ["delete_at"], postgresql_concurrently=True, postgresql_where=will_end)


def downgrade() -> None:
    """Undo: exports of accounts stay until they are deleted by hand."""
    op.drop_index(INDEX, "files")
    op.drop_column("files", "delete_at")
