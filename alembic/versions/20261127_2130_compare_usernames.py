"""compare usernames in NFKC without case

Revision: 9d2c4e81b6a3
Follows: 3f6b1c9a7e20
"""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "9d2c4e81b6a3"
down_revision: str | None = "3f6b1c9a7e20"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

users = sa.table("users", *(sa.column(name) for name in ("id", "username", "username_key")))


def upgrade() -> None:
    """Apply; refused with the names of the users, and nothing changed, if usernames differ in case or form only."""
    op.add_column("users", sa.Column("username_key", sa.String(255), nullable=True))
    rows = op.get_bind().execute(sa.select(users.c.id, users.c.username)).all()
    same = defaultdict(list)
    for _, username in rows:
        same[canonical(username)].append(username)
    twins = [" = ".join(map(repr, sorted(usernames))) for usernames in same.values() if len(usernames) > 1]
    if twins:
        names = "; ".join(sorted(twins)[:20])
        raise SystemExit(
            f"Usernames are compared without case from now on, and these are the same: {names}. Rename all but one of each"
            " (in SQL: set `username`), or delete them, tell their owners, and migrate again. Nothing was changed."
        )
    if rows:
        update = users.update().where(users.c.id == sa.bindparam("key")).values(username_key=sa.bindparam("name"))
        op.get_bind().execute(update, [{"key": row.id, "name": canonical(row.username)} for row in rows])
    op.alter_column("users", "username_key", nullable=False)
    op.create_unique_constraint(op.f("uq_users_username_key"), "users", ["username_key"])
    op.drop_constraint(op.f("uq_users_username"), "users", type_="unique")
    # For rows that are written with SQL; the application writes the key itself.
    op.execute(
        "CREATE FUNCTION set_username_key() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.username_key := lower(normalize(NEW.username, NFKC)); RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER users_inserted BEFORE INSERT ON users FOR EACH ROW "
        "WHEN (NEW.username_key IS NULL) EXECUTE FUNCTION set_username_key()"
    )
    op.execute(
        "CREATE TRIGGER users_renamed BEFORE UPDATE ON users FOR EACH ROW "
        "WHEN (NEW.username <> OLD.username AND NEW.username_key = OLD.username_key) EXECUTE FUNCTION set_username_key()"
    )


def downgrade() -> None:
    """Undo."""
    op.execute("DROP TRIGGER users_renamed ON users")
    op.execute("DROP TRIGGER users_inserted ON users")
    op.execute("DROP FUNCTION set_username_key()")
    op.create_unique_constraint(op.f("uq_users_username"), "users", ["username"])
    op.drop_constraint(op.f("uq_users_username_key"), "users", type_="unique")
    op.drop_column("users", "username_key")


def canonical(username: str) -> str:
    """The form in which usernames are compared."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())
