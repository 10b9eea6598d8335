"""remember the size of parts

Revision: b5e0c7f2419d
Follows: 4a7d13e9c852
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b5e0c7f2419d"
down_revision: str | None = "4a7d13e9c852"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("files", sa.Column("part_bytes", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("files", "part_bytes")
