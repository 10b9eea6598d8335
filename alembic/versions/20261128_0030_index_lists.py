"""index the filters and orders of lists

Revision: 4a7d13e9c852
Follows: 9d2c4e81b6a3
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "4a7d13e9c852"
down_revision: str | None = "9d2c4e81b6a3"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

READY = "status = 'ready'"
# Name, table, columns, and the condition of a partial index.
NEW: list[tuple[str, str, list[str], str | None]] = [
    ("ix_users_create_time_id", "users", ["create_time", "id"], None),
    ("ix_users_update_time_id", "users", ["update_time", "id"], None),
    ("ix_users_name_id", "users", ["name", "id"], None),
    ("ix_users_username_id", "users", ["username", "id"], None),
    ("ix_users_email_id", "users", ["email", "id"], None),
    ("ix_users_status_id", "users", ["status", "id"], None),
    ("ix_users_admins", "users", ["id"], "is_admin"),
    ("ix_files_owner_id_id", "files", ["owner_id", "id"], None),
    ("ix_files_ready_create_time_id", "files", ["create_time", "id"], READY),
    ("ix_files_ready_filename_id", "files", ["filename", "id"], READY),
    ("ix_files_ready_size_bytes_id", "files", ["size_bytes", "id"], READY),
    ("ix_roles_create_time_id", "roles", ["create_time", "id"], None),
    ("ix_roles_update_time_id", "roles", ["update_time", "id"], None),
    ("ix_roles_name_id", "roles", ["name", "id"], None),
    ("ix_roles_status_id", "roles", ["status", "id"], None),
    ("ix_schedules_create_time_id", "schedules", ["create_time", "id"], None),
    ("ix_schedules_next_run_at_id", "schedules", ["next_run_at NULLS FIRST", "id"], None),
    ("ix_schedules_last_run_at_id", "schedules", ["last_run_at NULLS FIRST", "id"], None),
    ("ix_schedules_task_id", "schedules", ["task", "id"], None),
    ("ix_schedules_kind_id", "schedules", ["kind", "id"], None),
    ("ix_schedules_enabled_id", "schedules", ["enabled", "id"], None),
    ("ix_schedules_origin_id", "schedules", ["origin", "id"], None),
    ("ix_notices_status_id", "notices", ["status", "id"], None),
]
# What the new ones replace.
OLD: list[tuple[str, str, list[str], str | None]] = [
    ("ix_files_owner_id", "files", ["owner_id"], None),
    ("ix_schedules_configured", "schedules", ["origin"], "origin = 'config'"),
]


def upgrade() -> None:
    """Apply."""
    replace(OLD, NEW)


def downgrade() -> None:
    """Undo."""
    replace(NEW, OLD)


def replace(
    old: list[tuple[str, str, list[str], str | None]], new: list[tuple[str, str, list[str], str | None]]
) -> None:
    """Create indexes and drop others while their tables are in use."""
    with op.get_context().autocommit_block():
        for name, table, columns, condition in new:
            # An attempt that was interrupted leaves an index that is not used.
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
            expressions = [sa.text(column) if " " in column else column for column in columns]
            where = sa.text(condition) if condition else None
            op.create_index(name, table, expressions, postgresql_where=where, postgresql_concurrently=True)
        for name, table, _, _ in old:
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
