"""say why beat paused a schedule

Revision: 3f6b1c9a7e20
Follows: 5c9e0b7d1f42
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "3f6b1c9a7e20"
down_revision: str | None = "5c9e0b7d1f42"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("schedules", sa.Column("pause_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("schedules", "pause_reason")
