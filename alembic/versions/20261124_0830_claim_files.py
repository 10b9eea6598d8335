"""claim files

Revision: 7b0d5e2c91fa
Follows: c2d41f7e88b3
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7b0d5e2c91fa"
down_revision: str | None = "c2d41f7e88b3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    now = sa.text("now()")  # for the rows that are there; the application sets it for its own
    op.add_column("files", sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=False, server_default=now))
    op.alter_column("files", "claimed_until", server_default=None)
    op.drop_index(op.f("ix_files_expires_at"), table_name="files")
    unfinished = sa.text("status <> 'ready'")
    op.create_index("ix_files_unfinished", "files", ["expires_at"], unique=False, postgresql_where=unfinished)


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_files_unfinished", table_name="files", postgresql_where=sa.text("status <> 'ready'"))
    op.create_index(op.f("ix_files_expires_at"), "files", ["expires_at"], unique=False)
    op.drop_column("files", "claimed_until")
