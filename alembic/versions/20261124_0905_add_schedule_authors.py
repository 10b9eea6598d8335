"""add who made a schedule, and tell beat of new and changed ones

Revision: c2d41f7e88b3
Follows: 9b3e6d52c0a1
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c2d41f7e88b3"
down_revision: str | None = "9b3e6d52c0a1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("schedules", sa.Column("created_by", sa.Uuid(), nullable=True))
    op.add_column("schedules", sa.Column("updated_by", sa.Uuid(), nullable=True))
    # An enabled row without its next run asks beat to plan it: beat listens, and need not look again and again.
    op.execute(
        "CREATE FUNCTION notify_schedules() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_notify('schedules', ''); RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER schedules_changed AFTER INSERT OR UPDATE ON schedules FOR EACH ROW "
        "WHEN (NEW.enabled AND NEW.next_run_at IS NULL) EXECUTE FUNCTION notify_schedules()"
    )


def downgrade() -> None:
    """Undo."""
    op.execute("DROP TRIGGER schedules_changed ON schedules")
    op.execute("DROP FUNCTION notify_schedules()")
    op.drop_column("schedules", "updated_by")
    op.drop_column("schedules", "created_by")
