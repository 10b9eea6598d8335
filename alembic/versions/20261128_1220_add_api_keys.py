"""add API keys and service accounts

Revision: 5d0e7a93c1b8
Follows: 5d83a1f0c9e4
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5d0e7a93c1b8"
down_revision: str | None = "5d83a1f0c9e4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    # With a default, which processes of the version before need while they still run.
    op.add_column("users", sa.Column("is_service_account", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(
        "ix_users_service_accounts", "users", ["id"], unique=False, postgresql_where=sa.text("is_service_account")
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("start", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("previous_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("codes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("addresses", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_api_keys_user_id_users"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
        sa.UniqueConstraint("previous_hash", name=op.f("uq_api_keys_previous_hash")),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"], unique=False)
    op.create_index("ix_api_keys_create_time_id", "api_keys", ["create_time", "id"], unique=False)


def downgrade() -> None:
    """Undo. Service accounts go with their column: without it, they would be users whose password can be set."""
    op.drop_table("api_keys")
    op.execute("DELETE FROM users WHERE is_service_account")
    op.drop_index("ix_users_service_accounts", "users")
    op.drop_column("users", "is_service_account")
