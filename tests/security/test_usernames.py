"""No two accounts have usernames that are the same in NFKC and without case."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from src.core.resources import Resources
from src.core.security.throttle import LoginClient
from tests.support.login import encrypted, log_in
from tests.support.people import People, Person
from tests.support.scratch import Scratch, scratch_database
from tests.support.waiting import PATIENCE_SECONDS

BEFORE = "3f6b1c9a7e20"


async def create(client: httpx.AsyncClient, admin: Person, username: str) -> httpx.Response:
    body = {"name": "Twin", "email": f"{uuid4().hex}@example.com", "username": username}
    body |= await encrypted(client, "a new and long enough one")
    return await client.post("/api/v1/users", json=body, headers=admin.headers)


class TestRow59Usernames:
    @pytest.fixture
    def name(self) -> str:
        """Letters only, so that every form of it is possible."""
        return "admin" + "".join(chr(ord("a") + int(digit, 16)) for digit in uuid4().hex)

    @pytest.mark.parametrize(
        ("form", "status"),
        [
            (str.upper, 409),
            (str.title, 409),
            (lambda name: "".join(chr(ord(letter) + 0xFEE0) for letter in name), 409),  # full-width
            (lambda name: name.replace("a", "\N{CYRILLIC SMALL LETTER A}", 1), 422),
            (lambda name: f"{name}\u034f", 422),
            (lambda name: f"{name}\u200b", 422),
            (lambda name: name.replace("a", "a\u0301", 1), 201),  # an á is another letter, and visible
        ],
    )
    async def test_twins_of_a_user_are_refused(
        self, client: httpx.AsyncClient, admin: Person, name: str, form: Any, status: int
    ) -> None:
        assert (await create(client, admin, name)).status_code == 201
        response = await create(client, admin, form(name))
        assert response.status_code == status
        if status != 201:
            assert [field["field"] for field in response.json()["data"]] == ["username"]

    async def test_it_is_shown_as_it_was_written(self, client: httpx.AsyncClient, admin: Person, name: str) -> None:
        response = await create(client, admin, name.title())
        assert response.json()["data"]["username"] == name.title()

    async def test_every_form_logs_in(self, client: httpx.AsyncClient, people: People, name: str) -> None:
        await people.user(username=name.title())
        assert (await log_in(client, name.upper())).status_code == 200

    async def test_every_form_counts_for_one_account(
        self, client: httpx.AsyncClient, people: People, resources: Resources, name: str
    ) -> None:
        await people.user(username=name)
        for _ in range(10):
            await resources.throttle.fail(name, LoginClient(uuid4().hex))
        assert (await log_in(client, name.upper())).status_code == 429


@pytest.mark.process
class TestRow59Migration:
    @pytest.fixture
    def database(self) -> Iterator[Scratch]:
        with scratch_database() as database:
            database.run("alembic", "upgrade", BEFORE)
            yield database

    def add(self, database: Scratch, *names: str) -> None:
        columns = "id, name, email, username, password_hash, status, is_admin, must_change_password"
        for name in names:
            values = f"'{uuid4()}', 'n', '{uuid4().hex}@example.com', '{name}', 'x', true, false, false"
            database.rows(f"INSERT INTO users ({columns}, create_time, update_time) VALUES ({values}, now(), now())")  # noqa: S608 - fixed

    def keys(self, database: Scratch) -> dict[str, str]:
        return dict(database.rows("SELECT username, username_key FROM users"))

    def test_existing_twins_are_named_and_nothing_is_changed(self, database: Scratch) -> None:
        self.add(database, "bob", "Admin", "admin", "ADMIN")
        migration = database.start("alembic", "upgrade", "head")
        output, _ = migration.communicate(timeout=PATIENCE_SECONDS)
        assert migration.returncode == 1
        assert "'ADMIN' = 'Admin' = 'admin'" in output.splitlines()[-1]
        assert "Traceback" not in output
        assert len(database.rows("SELECT username FROM users")) == 4
        assert database.rows("SELECT 1 FROM information_schema.columns WHERE column_name = 'username_key'") == []

    def test_it_goes_on_once_they_are_renamed(self, database: Scratch) -> None:
        self.add(database, "Admin", "admin", "Жанна")
        database.rows("UPDATE users SET username = 'admin2' WHERE username = 'Admin'")
        database.run("alembic", "upgrade", "head")
        assert self.keys(database) == {"admin": "admin", "admin2": "admin2", "Жанна": "жанна"}

    def test_rows_written_with_sql_get_their_key(self, database: Scratch) -> None:
        database.run("alembic", "upgrade", "head")
        self.add(database, "Bob")
        before = self.keys(database)
        database.rows("UPDATE users SET username = 'Ann'")
        assert (before, self.keys(database)) == ({"Bob": "bob"}, {"Ann": "ann"})

    def test_it_can_be_reverted(self, database: Scratch) -> None:
        self.add(database, "Bob")
        database.run("alembic", "upgrade", "head")
        database.run("alembic", "downgrade", BEFORE)
        self.add(database, "bob")
