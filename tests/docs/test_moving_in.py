"""docs/moving-in.md: its SQL moves users, whose passwords are still accepted."""

from sqlalchemy import text
from sqlmodel import select

from src.core.unit_of_work import UnitOfWork
from src.models.user import User
from src.utils.password import verify_password
from tests.docs.readme import ROOT, blocks

PAGE = (ROOT / "docs/moving-in.md").read_text()
# full-stack-fastapi-template's table.
OLD = """
CREATE TABLE old."user" (
    id uuid PRIMARY KEY, email varchar(255) NOT NULL UNIQUE, is_active boolean NOT NULL, is_superuser boolean NOT NULL,
    full_name varchar(255), hashed_password varchar NOT NULL
)
"""
BCRYPT = (
    "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW"  # of `secret`, as passlib's documentation has it
)


async def test_users_of_the_template_move(uow: UnitOfWork) -> None:
    connection = await uow.session.connection()
    for statement in ("CREATE SCHEMA old", OLD):
        await connection.execute(text(statement))
    await connection.execute(
        text("""INSERT INTO old."user" VALUES (gen_random_uuid(), 'Ada@Example.com', true, true, NULL, :hash)"""),
        {"hash": BCRYPT},
    )
    (move,) = blocks("sql", PAGE)
    await connection.execute(text(move))
    user = (await uow.session.exec(select(User).where(User.email == "Ada@Example.com"))).one()
    assert (user.username, user.username_key, user.is_admin, user.status) == ("ada@example.com",) * 2 + (True, True)
    matches, replacement = verify_password("secret", user.password_hash)
    assert matches
    assert replacement
    assert replacement.startswith("$argon2id$")
