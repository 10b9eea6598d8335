"""find configured schedules

Revision: e6a2f0c47d19
Follows: 5c8e1d94b7a3
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e6a2f0c47d19"
down_revision: str | None = "5c8e1d94b7a3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_schedules_configured", "schedules", ["origin"], postgresql_where=sa.text("origin = 'config'"))


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_schedules_configured", table_name="schedules")
