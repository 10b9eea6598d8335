"""rename claims to idempotency keys

Revision: 3d7f61a9c2e8
Follows: e6a2f0c47d19
"""

from collections.abc import Sequence

from alembic import op

revision: str = "3d7f61a9c2e8"
down_revision: str | None = "e6a2f0c47d19"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.rename_table("claims", "idempotency_keys")
    op.execute("ALTER TABLE idempotency_keys RENAME CONSTRAINT pk_claims TO pk_idempotency_keys")
    op.execute("ALTER TABLE idempotency_keys RENAME CONSTRAINT uq_claims_key TO uq_idempotency_keys_key")


def downgrade() -> None:
    """Undo."""
    op.execute("ALTER TABLE idempotency_keys RENAME CONSTRAINT uq_idempotency_keys_key TO uq_claims_key")
    op.execute("ALTER TABLE idempotency_keys RENAME CONSTRAINT pk_idempotency_keys TO pk_claims")
    op.rename_table("idempotency_keys", "claims")
