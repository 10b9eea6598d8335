"""say who paused a schedule

Revision: 7c1f4e8a2d63
Follows: b5e0c7f2419d
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7c1f4e8a2d63"
down_revision: str | None = "b5e0c7f2419d"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("schedules", sa.Column("paused_by", sa.Uuid(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("schedules", "paused_by")
