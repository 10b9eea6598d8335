from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from src.utils.password import verify_password
from tests.core.conftest import pem
from tests.support.scratch import Scratch, scratch_database

pytestmark = pytest.mark.process

EVERYTHING = {
    "users": "SELECT id, username, password_hash, is_admin, must_change_password, update_time FROM users ORDER BY 1",
    "routes": "SELECT id, code, path, update_time FROM routes ORDER BY 1",
    "schedules": "SELECT id, name, update_time FROM schedules ORDER BY 1",
}
ADMIN = "SELECT password_hash, must_change_password FROM users WHERE username = 'admin'"


def contents(database: Scratch) -> dict[str, list[tuple[Any, ...]]]:
    return {table: database.rows(query) for table, query in EVERYTHING.items()}


@pytest.fixture(scope="module")
def database() -> Iterator[Scratch]:
    with scratch_database(migrated=True) as database:
        yield database


@pytest.fixture(scope="module")
def filled(database: Scratch) -> Scratch:
    database.run("src.initdb")
    return database


@pytest.fixture(scope="module")
def deployed_environment() -> dict[str, str]:
    return {
        "ENVIRONMENT": "PRODUCTION",
        "ACCESS_TOKEN_KEY": "qW7-0hV3kZ_nB5xT9mL2cR8yJ4dF6sGaPuE1",
        "REFRESH_TOKEN_KEY": "Zt4_9bM1xK-vH6rC0nQ3wD7jL5fS2yGiUaO8",
        "RSA_PRIVATE_KEY": pem(rsa.generate_private_key(public_exponent=65537, key_size=3072)),
    }


class TestRow24FirstRun:
    def test_it_makes_the_documented_administrator(self, filled: Scratch) -> None:
        ((hashed, _),) = filled.rows(ADMIN)
        assert verify_password("123456", hashed)[0]

    def test_it_makes_nobody_else(self, filled: Scratch) -> None:
        assert filled.rows("SELECT count(*) FROM users") == [(1,)]

    def test_it_registers_the_routes(self, filled: Scratch) -> None:
        assert ("GET:/api/v1/router/backend",) in filled.rows("SELECT code FROM routes")


class TestSecondRun:
    def test_it_changes_nothing(self, filled: Scratch) -> None:
        before = contents(filled)
        filled.run("src.initdb")
        assert contents(filled) == before


@pytest.fixture(scope="module")
def output(deployed_environment: dict[str, str]) -> Iterator[tuple[Scratch, list[str]]]:
    """A fresh database, and what two runs on it print."""
    with scratch_database(migrated=True) as database:
        yield database, [database.run("src.initdb", **deployed_environment).stdout for _ in range(2)]


class TestRow24Deployed:
    def test_a_made_up_password_is_told(self, output: tuple[Scratch, list[str]]) -> None:
        database, (first, _) = output
        ((hashed, _),) = database.rows(ADMIN)
        password = first.partition("admin / ")[2].partition(" ")[0]
        assert verify_password(password, hashed)[0]

    def test_it_is_told_once(self, output: tuple[Scratch, list[str]]) -> None:
        assert "admin / " not in output[1][1]

    def test_it_has_to_be_changed(self, output: tuple[Scratch, list[str]]) -> None:
        ((_, must_change),) = output[0].rows(ADMIN)
        assert must_change
