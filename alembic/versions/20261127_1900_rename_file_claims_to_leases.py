"""rename file claims to leases

Revision: 8b25e4f0d671
Follows: 3d7f61a9c2e8
"""

from collections.abc import Sequence

from alembic import op

revision: str = "8b25e4f0d671"
down_revision: str | None = "3d7f61a9c2e8"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.alter_column("files", "claimed_until", new_column_name="leased_until")


def downgrade() -> None:
    """Undo."""
    op.alter_column("files", "leased_until", new_column_name="claimed_until")
