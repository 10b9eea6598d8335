"""The login: SECURITY rows 19, 25, 28, 30 and 31."""

import asyncio
import json
import random
import secrets
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from threading import current_thread
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from src.core.resources import Resources
from src.core.security.hashing import P, R
from src.main import app
from src.utils.password import hash_password, verify_password
from src.utils.rsa import public_pem
from tests.support.login import encrypt, encrypted, fetch_key, log_in
from tests.support.people import PASSWORD, USER_AGENT, People

LOGIN = "/api/v1/auth/login"


class SlowWork:
    """Records the work in the pool (RSA and hashes), which dominates the cost of a login."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def noting(self, function: Callable[P, R]) -> Callable[P, R]:
        def work(*args: P.args, **kwargs: P.kwargs) -> R:
            in_pool = current_thread().name.startswith("hash")
            self.done.append(function.__name__ if in_pool else f"{function.__name__} on the loop")
            return function(*args, **kwargs)

        return work


@pytest.fixture
def slow_work(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> SlowWork:
    work = SlowWork()
    monkeypatch.setattr(resources.credentials, "open", work.noting(resources.credentials.open))
    monkeypatch.setattr("src.services.password.verify_password", work.noting(verify_password))
    return work


@pytest.fixture
async def caller(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client with its own address, because failures per address are counted beyond the test.

    `client` brings the transaction that the application shares.
    """
    transport = httpx.ASGITransport(app, client=(f"test-{secrets.token_hex(8)}", 1))
    headers = {"User-Agent": USER_AGENT}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as caller:
        yield caller


class TestPublicKey:
    async def test_it_has_all_fields(self, client: httpx.AsyncClient) -> None:
        assert (await fetch_key(client)).keys() == {"kid", "algorithm", "publicKey", "challenge", "expiresIn"}

    async def test_the_key_has_at_least_3072_bits(self, resources: Resources) -> None:
        assert resources.settings.auth.rsa_private_key.key_size >= 3072

    async def test_the_challenge_is_valid_for_two_minutes(self, client: httpx.AsyncClient) -> None:
        assert (await fetch_key(client))["expiresIn"] == 120

    async def test_no_two_challenges_are_equal(self, client: httpx.AsyncClient) -> None:
        assert len({(await fetch_key(client))["challenge"] for _ in range(20)}) == 20

    async def test_a_challenge_is_not_stored(self, client: httpx.AsyncClient, resources: Resources) -> None:
        before = await resources.redis.dbsize()
        await fetch_key(client)
        assert await resources.redis.dbsize() <= before


class TestLogin:
    async def test_the_right_password_gets_a_token_pair(self, client: httpx.AsyncClient, people: People) -> None:
        response = await log_in(client, (await people.user()).username)
        assert response.json()["data"].keys() == {
            "accessToken",
            "refreshToken",
            "tokenType",
            "expiresIn",
            "refreshExpiresIn",
        }

    async def test_the_access_token_is_accepted_by_session_routes_routes(
        self, client: httpx.AsyncClient, people: People
    ) -> None:
        user = await people.user()
        token = (await log_in(client, user.username)).json()["data"]["accessToken"]
        response = await client.get("/api/v1/auth/user/info", headers={"Authorization": f"Bearer {token}"})
        assert response.json()["data"]["username"] == user.username

    async def test_a_password_in_many_scripts_is_accepted(self, client: httpx.AsyncClient, people: People) -> None:
        password = "pässwörd пароль 密码 🔑"
        user = await people.user(password_hash=hash_password(password))
        assert (await log_in(client, user.username, password)).status_code == 200


def _json(**content: Any) -> bytes:
    return json.dumps(content).encode()


# Invalid logins: functions from username and public key to the body.
Change = Callable[[str, dict[str, Any]], dict[str, Any]]


def body(key: dict[str, Any], username: str, plaintext: bytes, **changes: Any) -> dict[str, Any]:
    return {"username": username, "password": encrypt(key["publicKey"], plaintext), "kid": key["kid"], **changes}


def right(key: dict[str, Any]) -> bytes:
    return _json(p=PASSWORD, c=key["challenge"])


def swapped_signature(challenge: str) -> str:
    head, _, signature = challenge.rpartition(".")
    return f"{head}.{signature[::-1]}"


WRONG: dict[str, Change] = {
    "another user": lambda _, key: body(key, "nobody", right(key)),
    "wrong password": lambda user, key: body(key, user, _json(p="wrong", c=key["challenge"])),
    "empty password": lambda user, key: body(key, user, _json(p="", c=key["challenge"])),
    "unknown kid": lambda user, key: body(key, user, right(key), kid="0" * 16),
    "no challenge": lambda user, key: body(key, user, _json(p=PASSWORD)),
    "empty challenge": lambda user, key: body(key, user, _json(p=PASSWORD, c="")),
    "made up challenge": lambda user, key: body(key, user, _json(p=PASSWORD, c=f"{int(time.time())}.abc.{'0' * 64}")),
    "forged challenge": lambda user, key: body(key, user, _json(p=PASSWORD, c=swapped_signature(key["challenge"]))),
    "postdated challenge": lambda user, key: body(key, user, _json(p=PASSWORD, c="2" + key["challenge"][1:])),
    "challenge of strange letters": lambda user, key: body(key, user, b'{"p": "x", "c": "\\ud800.\\u0000.\\ud800"}'),
    "password of strange letters": lambda user, key: body(
        key, user, b'{"p": "\\ud800", "c": "%s"}' % key["challenge"].encode()
    ),
    "password with NUL": lambda user, key: body(key, user, _json(p=PASSWORD + "\0", c=key["challenge"])),
    "numbers": lambda user, key: body(key, user, b'{"p": 1, "c": 2}'),
    "nulls": lambda user, key: body(key, user, b'{"p": null, "c": null}'),
    "list": lambda user, key: body(key, user, b'["p", "c"]'),
    "bare password": lambda user, key: body(key, user, PASSWORD.encode()),
    "broken UTF-8": lambda user, key: body(key, user, b'{"p": "\xff", "c": ""}'),
    "nothing": lambda user, key: body(key, user, b""),
    "nested": lambda user, key: body(key, user, b"[" * 300),
    "another key": lambda user, key: {
        **body(key, user, right(key)),
        "password": encrypt(public_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)), b"x"),
    },
    "PKCS #1 v1.5": lambda user, key: {
        **body(key, user, right(key)),
        "password": encrypt(key["publicKey"], right(key), padding.PKCS1v15()),
    },
    "no base64": lambda user, key: body(key, user, right(key), password="***"),
    "short": lambda user, key: body(key, user, right(key), password="QUJD"),
    "letters beyond ASCII": lambda user, key: body(key, user, right(key), password="ключ"),
    "in the clear": lambda user, key: body(key, user, right(key), password=PASSWORD),
}


class TestRow19NoEnumeration:
    async def refused(self, caller: httpx.AsyncClient, content: dict[str, Any]) -> dict[str, Any]:
        response = await caller.post(LOGIN, json=content)
        told: dict[str, Any] = response.json()
        return {"status": response.status_code} | {name: told[name] for name in told.keys() - {"ts", "requestId"}}

    @pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
    async def test_every_cause_has_the_same_response(
        self, caller: httpx.AsyncClient, people: People, change: Change
    ) -> None:
        user = await people.user()
        assert await self.refused(caller, change(user.username, await fetch_key(caller))) == {
            "status": 401,
            "code": 401,
            "message": "Wrong username or password.",
            "data": None,
            "error": "auth.invalid_credentials",
        }

    async def test_a_disabled_user_has_the_same_response(self, caller: httpx.AsyncClient, people: People) -> None:
        user = await people.user(status=False)
        key = await fetch_key(caller)
        refusal = await self.refused(caller, body(key, user.username, right(key)))
        assert (refusal["status"], refusal["error"]) == (401, "auth.invalid_credentials")

    @pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
    async def test_every_cause_takes_the_same_work(
        self, caller: httpx.AsyncClient, people: People, slow_work: SlowWork, change: Change
    ) -> None:
        user = await people.user()
        content = change(user.username, await fetch_key(caller))
        await caller.post(LOGIN, json=content)
        assert slow_work.done == ["open", "verify_password"]

    async def test_a_disabled_user_takes_the_same_work(
        self, caller: httpx.AsyncClient, people: People, slow_work: SlowWork
    ) -> None:
        user, key = await people.user(status=False), await fetch_key(caller)
        await caller.post(LOGIN, json=body(key, user.username, right(key)))
        assert slow_work.done == ["open", "verify_password"]

    async def test_it_says_how_to_authenticate(self, caller: httpx.AsyncClient) -> None:
        key = await fetch_key(caller)
        response = await caller.post(LOGIN, json=body(key, "nobody", right(key)))
        assert response.headers["WWW-Authenticate"] == "Bearer"

    @pytest.mark.parametrize("extra", ["is_admin", "isAdmin", "roles"])
    async def test_an_unknown_field_is_422(self, caller: httpx.AsyncClient, extra: str) -> None:
        response = await caller.post(LOGIN, json={"username": "u", **await encrypted(caller), extra: True})
        assert [field["field"] for field in response.json()["data"]] == [extra]


class TestRow28Oaep:
    async def test_the_older_padding_is_401(self, caller: httpx.AsyncClient, people: People) -> None:
        user, key = await people.user(), await fetch_key(caller)
        older = encrypt(key["publicKey"], right(key), padding.PKCS1v15())
        responses = [await caller.post(LOGIN, json=body(key, user.username, b"", password=older))]
        responses += [await caller.post(LOGIN, json=body(key, user.username, right(key)))]
        assert [response.status_code for response in responses] == [401, 200]


class TestRow31NoOracle:
    @pytest.mark.slow
    async def test_60_random_ciphertexts_have_the_same_response_and_work(
        self, caller: httpx.AsyncClient, people: People, slow_work: SlowWork
    ) -> None:
        kid, chance, responses = (await fetch_key(caller))["kid"], random.Random(31), set()  # noqa: S311 - always the same
        for _ in range(12):
            user = await people.user()  # five failures per user: more than ten would be throttled
            for size in (1, 256, 384, 384, 385):
                content = {
                    "username": user.username,
                    "password": b64encode(chance.randbytes(size)).decode(),
                    "kid": kid,
                }
                response = await caller.post(LOGIN, json=content)
                responses.add((response.status_code, response.json()["error"], response.json()["message"]))
        assert responses == {(401, "auth.invalid_credentials", "Wrong username or password.")}
        assert slow_work.done == ["open", "verify_password"] * 60


class TestRow30NoReplay:
    async def test_a_challenge_is_single_use(self, caller: httpx.AsyncClient, people: People) -> None:
        content = {"username": (await people.user()).username, **await encrypted(caller)}
        statuses = [(await caller.post(LOGIN, json=content)).status_code for _ in range(3)]
        assert statuses == [200, 401, 401]

    async def test_a_failed_login_redeems_it(self, caller: httpx.AsyncClient, people: People) -> None:
        content = await encrypted(caller)
        await caller.post(LOGIN, json={"username": "nobody", **content})
        response = await caller.post(LOGIN, json={"username": (await people.user()).username, **content})
        assert response.status_code == 401

    async def test_it_is_refused_in_a_second_ciphertext(self, caller: httpx.AsyncClient, people: People) -> None:
        user, key = (await people.user()).username, await fetch_key(caller)
        statuses = [(await caller.post(LOGIN, json=body(key, user, right(key)))).status_code for _ in range(2)]
        assert statuses == [200, 401]

    async def test_it_expires(self, caller: httpx.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch) -> None:
        content, now = await encrypted(caller), time.time()
        monkeypatch.setattr(time, "time", lambda: now + 122)
        assert (
            await caller.post(LOGIN, json={"username": (await people.user()).username, **content})
        ).status_code == 401

    async def test_it_is_valid_until_its_expiry(
        self, caller: httpx.AsyncClient, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content, now = await encrypted(caller), time.time()
        monkeypatch.setattr(time, "time", lambda: now + 118)
        assert (
            await caller.post(LOGIN, json={"username": (await people.user()).username, **content})
        ).status_code == 200

    async def test_one_of_20_at_once_succeeds(
        self, served_login: Callable[[], Awaitable[dict[str, str]]], served_client: httpx.AsyncClient
    ) -> None:
        content, address = await served_login(), {"X-Forwarded-For": f"test-{secrets.token_hex(8)}"}
        responses = await asyncio.gather(*(served_client.post(LOGIN, json=content, headers=address) for _ in range(20)))
        statuses = Counter(response.status_code for response in responses)
        assert (statuses[200], statuses.keys() - {200, 401, 429}) == (1, set())  # the throttle admits ten


class TestRow25OnePath:
    async def test_it_checks_the_password(self, caller: httpx.AsyncClient, people: People) -> None:
        form = {"username": (await people.user()).username, "password": "wrong"}
        assert (await caller.post(f"{LOGIN}/swagger", data=form)).status_code == 401

    async def test_it_responds_as_oauth2_requires(self, caller: httpx.AsyncClient, people: People) -> None:
        form = {"username": (await people.user()).username, "password": PASSWORD}
        response = (await caller.post(f"{LOGIN}/swagger", data=form)).json()
        assert response.keys() == {"access_token", "token_type"}

    async def test_a_disabled_user_is_refused(self, caller: httpx.AsyncClient, people: People) -> None:
        form = {"username": (await people.user(status=False)).username, "password": PASSWORD}
        assert (await caller.post(f"{LOGIN}/swagger", data=form)).status_code == 401

    async def test_its_failures_count_for_both_logins(self, caller: httpx.AsyncClient, people: People) -> None:
        user = await people.user()
        form = {"username": user.username, "password": "wrong"}
        statuses = [(await caller.post(f"{LOGIN}/swagger", data=form)).status_code for _ in range(10)]
        statuses.append((await log_in(caller, user.username)).status_code)
        assert statuses == [401] * 10 + [429]
