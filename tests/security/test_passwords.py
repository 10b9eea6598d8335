"""Passwords: SECURITY rows 16 and 20 to 26."""

from uuid import uuid4

import httpx
import pytest
from passlib.context import CryptContext
from passlib.hash import bcrypt
from sqlmodel import select
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from src.core.config import settings
from src.core.resources import Resources
from src.core.security.throttle import LoginClient
from src.core.unit_of_work import UnitOfWork
from src.models.user import User
from src.utils.password import hash_password, verify_password
from src.utils.password_policy import weakness
from tests.support.login import encrypted, log_in
from tests.support.people import PASSWORD, People, Person

NEW = "a new and long enough one"


async def change(client: httpx.AsyncClient, person: Person, old: str = PASSWORD, new: str = NEW) -> httpx.Response:
    first, second = await encrypted(client, old), await encrypted(client, new)
    body = {"oldPassword": first["password"], "newPassword": second["password"], "kid": second["kid"]}
    return await client.put("/api/v1/auth/password", json=body, headers=person.headers)


async def info(client: httpx.AsyncClient, person: Person) -> int:
    return (await client.get("/api/v1/auth/user/info", headers=person.headers)).status_code


class TestRow16ChangingThePassword:
    async def test_ends_the_other_sessions(self, client: httpx.AsyncClient, people: People) -> None:
        here = await people.create()
        elsewhere = await people.login(here.user)
        assert (await change(client, here)).status_code == 200
        assert await info(client, elsewhere) == 401

    async def test_keeps_the_session_that_did_it(self, client: httpx.AsyncClient, people: People) -> None:
        here = await people.create()
        await change(client, here)
        assert await info(client, here) == 200

    async def test_makes_the_new_one_valid(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create()
        await change(client, person)
        assert (await log_in(client, person.user.username, NEW)).status_code == 200

    async def test_requires_the_old_one(self, client: httpx.AsyncClient, people: People) -> None:
        response = await change(client, await people.create(), old="not the old one")
        assert response.json()["error"] == "auth.wrong_password"

    async def test_needs_a_challenge_for_each(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create()
        once = await encrypted(client)
        body = {"oldPassword": once["password"], "newPassword": once["password"], "kid": once["kid"]}
        response = await client.put("/api/v1/auth/password", json=body, headers=person.headers)
        assert response.json()["error"] == "auth.bad_ciphertext"

    async def test_set_by_an_administrator_ends_all_sessions(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        person = await people.create()
        body = await encrypted(client, NEW)
        await client.put(f"/api/v1/users/{person.user.id}/password", json=body, headers=admin.headers)
        assert await info(client, person) == 401


class TestRow20Hashing:
    def test_uses_argon2id_with_owasp_parameters(self, production_hashes: CryptContext) -> None:
        assert production_hashes.hash(PASSWORD).startswith("$argon2id$v=19$m=19456,t=2,p=1$")

    async def test_replaces_an_old_hash_at_login(
        self, client: httpx.AsyncClient, people: People, uow: UnitOfWork
    ) -> None:
        user = await people.user(password_hash=bcrypt.using(rounds=4).hash(PASSWORD))
        await log_in(client, user.username)
        stored = (await uow.session.exec(select(User.password_hash).where(User.id == user.id))).one()
        assert stored.startswith("$argon2id$")

    @pytest.mark.parametrize("password", ["\x00", "\ud800", "x" * 5000, ""])
    def test_never_raises_for_a_strange_password(self, password: str) -> None:
        assert verify_password(password, hash_password(PASSWORD)) == (False, None)

    @pytest.mark.parametrize("foreign", ["", "plain", "$1$abc$def", "$argon2id$broken"])
    def test_never_raises_for_a_strange_hash(self, foreign: str) -> None:
        assert verify_password(PASSWORD, foreign) == (False, None)


class TestRow21NoTruncation:
    @pytest.mark.parametrize("password", ["x" * 72, "x" * 127, "😀" * 60], ids=["72", "127", "emoji"])
    def test_one_more_character_is_wrong(self, password: str) -> None:
        assert not verify_password(password + "y", hash_password(password))[0]

    @pytest.mark.parametrize("password", ["x" * 128, "😀" * 64], ids=["128 characters", "256 bytes"])
    def test_the_longest_is_accepted(self, password: str) -> None:
        assert weakness(password) is None

    @pytest.mark.parametrize("password", ["x" * 129, "😀" * 65], ids=["129 characters", "260 bytes"])
    def test_longer_is_refused(self, password: str) -> None:
        assert weakness(password)


class TestRow22Length:
    @pytest.mark.parametrize("password", ["", "a", "Xy7!Xy7"])
    async def test_under_eight_is_refused_naming_the_field(
        self, client: httpx.AsyncClient, people: People, password: str
    ) -> None:
        response = await change(client, await people.create(), new=password)
        assert (response.status_code, response.json()["data"][0]["field"]) == (422, "newPassword")

    @pytest.mark.parametrize("password", ["mouse garden tree", "зимний вечер", "87651903482"])
    def test_no_composition_is_demanded(self, password: str) -> None:
        assert weakness(password) is None


class TestRow23CommonPasswords:
    def test_the_3000_most_common_are_refused(self) -> None:
        assert [password for password in list(FREQUENCY_LISTS["passwords"])[:3000] if weakness(password) is None] == []

    def test_so_are_their_capitals(self) -> None:
        assert weakness("PassWord1")


class TestRow24TheInitialAdministrator:
    async def test_may_do_nothing_before_changing_the_password(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create(is_admin=True, must_change_password=True)
        assert (await client.get("/api/v1/users", headers=person.headers)).status_code == 403

    async def test_may_do_everything_after(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create(is_admin=True, must_change_password=True)
        await client.get("/api/v1/users", headers=person.headers)
        await change(client, person)
        assert (await client.get("/api/v1/users", headers=person.headers)).status_code == 200

    @pytest.mark.parametrize("must_change", [True, False])
    async def test_a_password_set_by_another_administrator_does_not_change_that(
        self, client: httpx.AsyncClient, people: People, admin: Person, *, must_change: bool
    ) -> None:
        user = await people.user(must_change_password=must_change)
        response = await client.put(
            f"/api/v1/users/{user.id}/password", json=await encrypted(client, NEW), headers=admin.headers
        )
        assert (response.status_code, response.json()["data"]["mustChangePassword"]) == (200, must_change)


@pytest.mark.slow
class TestRow26Throttle:
    async def fail(self, client: httpx.AsyncClient, username: str, times: int) -> httpx.Response:
        form = {"username": username, "password": "wrong"}
        return [await client.post("/api/v1/auth/login/swagger", data=form) for _ in range(times)][-1]

    async def test_the_eleventh_failure_of_an_account_is_429(
        self, own_client: httpx.AsyncClient, people: People
    ) -> None:
        user = await people.user()
        assert [(await self.fail(own_client, user.username, n)).status_code for n in (10, 1)] == [401, 429]

    async def test_says_when_to_try_again(self, own_client: httpx.AsyncClient) -> None:
        response = await self.fail(own_client, uuid4().hex, 11)
        assert 0 < int(response.headers["Retry-After"]) <= settings.auth.login_window_seconds + 1

    async def test_holds_for_the_right_password_too(self, own_client: httpx.AsyncClient, people: People) -> None:
        user = await people.user()
        await self.fail(own_client, user.username, 10)
        assert (await log_in(own_client, user.username)).status_code == 429

    async def test_does_not_affect_other_accounts(self, own_client: httpx.AsyncClient, people: People) -> None:
        await self.fail(own_client, uuid4().hex, 11)
        assert (await log_in(own_client, (await people.user()).username)).status_code == 200

    async def test_a_success_clears_the_count(self, own_client: httpx.AsyncClient, people: People) -> None:
        user = await people.user()
        await self.fail(own_client, user.username, 9)
        await log_in(own_client, user.username)
        assert (await self.fail(own_client, user.username, 9)).status_code == 401

    async def test_does_not_reveal_whether_the_account_exists(
        self, own_client: httpx.AsyncClient, people: People
    ) -> None:
        known, unknown = (await people.user()).username, uuid4().hex
        responses = [await self.fail(own_client, name, 11) for name in (known, unknown)]
        assert responses[0].json()["error"] == responses[1].json()["error"] == "auth.throttled"

    async def test_100_failures_from_one_address_are_the_limit(
        self, own_client: httpx.AsyncClient, people: People, resources: Resources
    ) -> None:
        client = LoginClient(own_client.headers["x-test-address"])
        for number in range(100):
            await resources.throttle.fail(f"somebody {number}", client)
        assert (await log_in(own_client, (await people.user()).username)).status_code == 429
