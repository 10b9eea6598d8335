"""add task runs, claims, and the order of outbox messages

Revision: 9b3e6d52c0a1
Follows: 4f1c0b7ad9e2
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "9b3e6d52c0a1"
down_revision: str | None = "4f1c0b7ad9e2"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "task_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("args", postgresql.JSONB(), nullable=False),
        sa.Column("kwargs", postgresql.JSONB(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("queue", sa.String(length=255), nullable=True),
        sa.Column("worker", sa.String(length=255), nullable=True),
        sa.Column("result", postgresql.JSONB(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("progress", postgresql.JSONB(), nullable=True),
        sa.Column("schedule_id", sa.Uuid(), nullable=True),
        sa.Column("requested_by", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("retry_of", sa.Uuid(), nullable=True),
        sa.Column("retried_by", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_runs")),
    )
    op.create_index("ix_task_runs_name_id", "task_runs", ["name", "id"], unique=False)
    op.create_index("ix_task_runs_state_id", "task_runs", ["state", "id"], unique=False)
    op.create_index("ix_task_runs_schedule_id_id", "task_runs", ["schedule_id", "id"], unique=False)
    op.create_index("ix_task_runs_requested_by_id", "task_runs", ["requested_by", "id"], unique=False)
    op.create_index(op.f("ix_task_runs_queued_at"), "task_runs", ["queued_at"], unique=False)
    op.create_index(op.f("ix_task_runs_finished_at"), "task_runs", ["finished_at"], unique=False)
    op.create_table(
        "claims",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claims")),
        sa.UniqueConstraint("key", name=op.f("uq_claims_key")),
    )
    op.add_column("outbox", sa.Column("key", sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Undo."""
    op.drop_column("outbox", "key")
    op.drop_table("claims")
    op.drop_table("task_runs")
