"""add email links

Revision: c4a81f6e2d97
Follows: 5d0e7a93c1b8
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision: str = "c4a81f6e2d97"
down_revision: str | None = "5d0e7a93c1b8"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

EMAIL = sa.text("lower(email)")


def upgrade() -> None:
    """Apply."""
    op.add_column("users", sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True))
    # With a default, which processes of the version before need while they still run.
    op.add_column("users", sa.Column("email_pending", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("users", sa.Column("language", sa.String(length=8), nullable=True))
    op.create_table(
        "email_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("update_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=True),
        sa.Column("account_state", sa.String(length=64), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_email_links_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_email_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_email_links_token_hash")),
    )
    op.create_index(op.f("ix_email_links_user_id"), "email_links", ["user_id"], unique=False)
    op.create_index(op.f("ix_email_links_expires_at"), "email_links", ["expires_at"], unique=False)
    op.create_index("ix_email_links_email_lower_purpose", "email_links", [EMAIL, "purpose"], unique=False)
    replace_email_index(postgresql_where=sa.text("NOT email_pending"))


def downgrade() -> None:
    """Undo. Fails while addresses that nobody has confirmed are not unique: delete such users before."""
    replace_email_index()
    op.drop_table("email_links")
    op.drop_column("users", "language")
    op.drop_column("users", "email_pending")
    op.drop_column("users", "email_verified_at")


def replace_email_index(**options: Any) -> None:
    """Create the unique index on addresses anew while the table is in use; addresses stay unique meanwhile."""
    with op.get_context().autocommit_block():
        # An attempt that was interrupted leaves an index that is not used.
        op.drop_index("uq_users_email_new", "users", postgresql_concurrently=True, if_exists=True)
        op.create_index("uq_users_email_new", "users", [EMAIL], unique=True, postgresql_concurrently=True, **options)
        op.drop_index("uq_users_email_lower", "users", postgresql_concurrently=True, if_exists=True)
        op.execute("ALTER INDEX uq_users_email_new RENAME TO uq_users_email_lower")
