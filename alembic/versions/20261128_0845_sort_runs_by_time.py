"""sort runs by time

Revision: 2e9b6c50d7a1
Follows: 7c1f4e8a2d63
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "2e9b6c50d7a1"
down_revision: str | None = "7c1f4e8a2d63"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

QUEUED_AT = "queued_at NULLS FIRST"
NEW = {
    "ix_task_runs_queued_at_id": [QUEUED_AT, "id"],
    "ix_task_runs_name_queued_at_id": ["name", QUEUED_AT, "id"],
    "ix_task_runs_state_queued_at_id": ["state", QUEUED_AT, "id"],
    "ix_task_runs_schedule_id_queued_at_id": ["schedule_id", QUEUED_AT, "id"],
    "ix_task_runs_requested_by_queued_at_id": ["requested_by", QUEUED_AT, "id"],
}
# What the new ones replace.
OLD = {
    "ix_task_runs_queued_at": ["queued_at"],
    "ix_task_runs_name_id": ["name", "id"],
    "ix_task_runs_state_id": ["state", "id"],
    "ix_task_runs_schedule_id_id": ["schedule_id", "id"],
    "ix_task_runs_requested_by_id": ["requested_by", "id"],
}


def upgrade() -> None:
    """Apply."""
    replace(OLD, NEW)


def downgrade() -> None:
    """Undo."""
    replace(NEW, OLD)


def replace(old: dict[str, list[str]], new: dict[str, list[str]]) -> None:
    """Create indexes and drop others while the table is in use."""
    with op.get_context().autocommit_block():
        for name, columns in new.items():
            # An attempt that was interrupted leaves an index that is not used.
            op.drop_index(name, "task_runs", postgresql_concurrently=True, if_exists=True)
            expressions = [sa.text(column) if " " in column else column for column in columns]
            op.create_index(name, "task_runs", expressions, postgresql_concurrently=True)
        for name in old:
            op.drop_index(name, "task_runs", postgresql_concurrently=True, if_exists=True)
