"""plan schedules again that are edited or enabled with SQL

Revision: 5c9e0b7d1f42
Follows: 8b25e4f0d671
"""

from collections.abc import Sequence

from alembic import op

revision: str = "5c9e0b7d1f42"
down_revision: str | None = "8b25e4f0d671"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TIMING = [
    *("enabled", "kind", "every", "period", "crontab", "timezone", "event", "latitude", "longitude", "clocked_time"),
    *("start_time", "end_time", "max_runs"),
]


def upgrade() -> None:
    """Apply."""
    op.execute(
        "CREATE FUNCTION plan_schedule_again() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.next_run_at := NULL; RETURN NEW; END $$"
    )
    before, after = (", ".join(f"{row}.{column}" for column in TIMING) for row in ("OLD", "NEW"))
    # Whoever sets `next_run_at` as well, as beat does, has planned the next run.
    op.execute(
        "CREATE TRIGGER schedules_edited BEFORE UPDATE ON schedules FOR EACH ROW "
        f"WHEN (ROW({before}) IS DISTINCT FROM ROW({after}) AND NEW.next_run_at IS NOT DISTINCT FROM OLD.next_run_at) "
        "EXECUTE FUNCTION plan_schedule_again()"
    )


def downgrade() -> None:
    """Undo."""
    op.execute("DROP TRIGGER schedules_edited ON schedules")
    op.execute("DROP FUNCTION plan_schedule_again()")
