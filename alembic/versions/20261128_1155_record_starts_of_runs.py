"""record starts of runs

Revision: 5d83a1f0c9e4
Follows: 2e9b6c50d7a1
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision: str = "5d83a1f0c9e4"
down_revision: str | None = "2e9b6c50d7a1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("task_runs", sa.Column("attempt_starts", JSONB(), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("task_runs", "attempt_starts")
