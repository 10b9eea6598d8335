"""Forged tokens: SECURITY rows 1 to 5, 7 and 8."""

import base64
import hmac
import json
import random
import time
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from src import NAME
from src.core.resources import Resources
from src.utils.jwt import key_id
from tests.security.conftest import Clock
from tests.support.login import fetch_key, log_in
from tests.support.people import People, Person

INFO = "/api/v1/auth/user/info"


def encode(part: dict[str, Any]) -> str:
    compact = json.dumps(part, separators=(",", ":"))
    return base64.urlsafe_b64encode(compact.encode()).rstrip(b"=").decode()


class Forge:
    """Forges tokens from a valid one."""

    def __init__(self, good: str, key: str) -> None:
        self.good = good
        self.key = key
        self.header = jwt.get_unverified_header(good)
        self.claims: dict[str, Any] = jwt.decode(good, options={"verify_signature": False})

    def signed(self, header: dict[str, Any] | None = None, *without: str, key: str = "", **claims: Any) -> str:
        """A token with changed claims, signed with the right key unless another is passed."""
        payload = {name: value for name, value in {**self.claims, **claims}.items() if name not in without}
        headers = {**self.header, **(header or {})}
        algorithm = str(headers.pop("alg"))
        return jwt.encode(
            payload, key or self.key, algorithm, headers={k: v for k, v in headers.items() if v is not None}
        )

    def raw(self, header: dict[str, Any], signature: str = "") -> str:
        return f"{encode({**self.header, **header})}.{encode(self.claims)}.{signature}"


@pytest.fixture
def forge(person: Person, resources: Resources) -> Forge:
    return Forge(person.tokens.access_token, resources.settings.auth.access_token_key.get_secret_value())


async def status(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get(INFO, headers={b"Authorization": b"Bearer " + token.encode()})).status_code


ALGORITHMS = [
    *(
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "HS1",
        "HS384",
        "HS512",
        "RS256",
        "RS512",
        "ES256",
        "PS256",
        "EdDSA",
        "hs256",
    ),
    "HS256\0",
]


class TestRow01Algorithm:
    async def test_the_right_one_passes(self, client: httpx.AsyncClient, forge: Forge) -> None:
        rebuilt = forge.raw({}, forge.good.rpartition(".")[2])
        assert [await status(client, token) for token in (forge.good, forge.signed(), rebuilt)] == [200, 200, 200]

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    async def test_another_one_unsigned_is_401(self, client: httpx.AsyncClient, forge: Forge, algorithm: str) -> None:
        assert await status(client, forge.raw({"alg": algorithm})) == 401

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    async def test_another_one_with_the_old_signature_is_401(
        self, client: httpx.AsyncClient, forge: Forge, algorithm: str
    ) -> None:
        assert await status(client, forge.raw({"alg": algorithm}, forge.good.rpartition(".")[2])) == 401

    @pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
    async def test_another_one_with_the_right_key_is_401(
        self, client: httpx.AsyncClient, forge: Forge, algorithm: str
    ) -> None:
        assert await status(client, forge.signed({"alg": algorithm})) == 401

    @pytest.mark.parametrize("algorithm", [None, 1, ["HS256"], {"HS256": 1}])
    async def test_an_invalid_name_is_401(self, client: httpx.AsyncClient, forge: Forge, algorithm: Any) -> None:
        assert await status(client, forge.raw({"alg": algorithm})) == 401

    async def test_the_public_key_of_the_login_cannot_sign_tokens(
        self, client: httpx.AsyncClient, forge: Forge
    ) -> None:
        public = (await fetch_key(client))["publicKey"]
        for algorithm, key in (("HS256", public), ("RS256", forge.key)):
            head = encode({**forge.header, "alg": algorithm, "kid": key_id(public)})
            signature = hmac.digest(key.encode(), f"{head}.{encode(forge.claims)}".encode(), "sha256")
            token = f"{head}.{encode(forge.claims)}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
            assert await status(client, token) == 401


class TestRow05Key:
    async def test_another_key_with_the_right_kid_is_401(self, client: httpx.AsyncClient, forge: Forge) -> None:
        assert await status(client, forge.signed(key="x" * 64)) == 401

    async def test_another_key_with_its_own_kid_is_401(self, client: httpx.AsyncClient, forge: Forge) -> None:
        assert await status(client, forge.signed({"kid": key_id("x" * 64)}, key="x" * 64)) == 401

    @pytest.mark.parametrize("kid", ["", "unknown", "../../dev/null", "' OR 1=1", None, 0, [], {}, True])
    async def test_an_unknown_kid_is_401(self, client: httpx.AsyncClient, forge: Forge, kid: Any) -> None:
        assert await status(client, forge.raw({"kid": kid}, forge.good.rpartition(".")[2])) == 401

    @pytest.mark.parametrize("name", ["jku", "jwk", "x5u", "x5c"])
    async def test_a_key_in_the_token_header_is_ignored(
        self, client: httpx.AsyncClient, forge: Forge, name: str
    ) -> None:
        own = {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 64).decode(), "kid": "mine"}
        assert await status(client, forge.signed({name: own, "kid": "mine"}, key="x" * 64)) == 401


class TestRow04Kind:
    async def test_a_refresh_token_is_no_access_token(self, client: httpx.AsyncClient, person: Person) -> None:
        assert await status(client, person.tokens.refresh_token) == 401

    async def test_an_access_token_is_no_refresh_token(self, client: httpx.AsyncClient, person: Person) -> None:
        headers = {**person.headers, "X-Refresh-Token": person.tokens.access_token}
        assert (await client.post("/api/v1/auth/token/refresh", headers=headers)).status_code == 401

    async def test_each_kind_has_its_own_type_and_key(self, person: Person) -> None:
        access, refresh = map(jwt.get_unverified_header, (person.tokens.access_token, person.tokens.refresh_token))
        assert (access["typ"], refresh["typ"]) == ("at+jwt", "rt+jwt")
        assert access["kid"] != refresh["kid"]

    @pytest.mark.parametrize("typ", ["JWT", "rt+jwt", "AT+JWT", "", None, ["at+jwt"]])
    async def test_another_type_is_401(self, client: httpx.AsyncClient, forge: Forge, typ: Any) -> None:
        token = forge.signed({"typ": typ}) if isinstance(typ, str | None) else forge.raw({"typ": typ})
        assert await status(client, token) == 401

    async def test_one_kind_signed_with_the_others_key_is_401(
        self, client: httpx.AsyncClient, forge: Forge, resources: Resources
    ) -> None:
        key = resources.settings.auth.refresh_token_key.get_secret_value()
        assert await status(client, forge.signed({"kid": key_id(key)}, key=key)) == 401


NOW = int(time.time())
DAY = 86_400
Claims = dict[str, dict[str, Any]]
TIMES: Claims = {
    "expired": {"iat": NOW - 1000, "nbf": NOW - 1000, "exp": NOW - 100},
    "not yet valid": {"nbf": NOW + DAY},
    "not valid for an hour": {"nbf": NOW + 3600},
    "issued in the future": {"iat": NOW + DAY, "nbf": NOW + DAY, "exp": NOW + DAY + 900},
    "lives too long": {"exp": NOW + 365 * DAY},
    "lives forever": {"exp": 1e300},
    "expires never": {"exp": None},
    "expires in words": {"exp": "tomorrow"},
    "expires in a list": {"exp": [NOW + 100]},
    "begins in words": {"nbf": "now"},
    "issued in words": {"iat": "now"},
    "negative": {"iat": -1, "exp": -1, "nbf": -1},
}
ISSUERS_AND_AUDIENCES: Claims = {
    "another issuer": {"iss": "somebody"},
    "issuers": {"iss": [NAME.lower()]},
    "no issuer": {"iss": None},
    "another audience": {"aud": "somebody"},
    "audiences": {"aud": [NAME.lower()]},
    "no audience": {"aud": None},
}
OWNERS: Claims = {
    "another session": {"sid": "nobody's"},
    "no session": {"sid": None},
    "sessions": {"sid": ["a"]},
    "a session of wild cards": {"sid": "*"},
    "another user": {"sub": str(uuid4())},
    "a name for a user": {"sub": "admin"},
    "a number for a user": {"sub": 1},
    "no user": {"sub": None},
    "a key of the store for a user": {"sub": "}:x{"},
}


async def altered(client: httpx.AsyncClient, forge: Forge, claims: dict[str, Any]) -> int:
    """The status for a token with changed claims and a valid signature."""
    signed = {**forge.claims, **claims}
    payload = f"{encode(forge.header)}.{encode(signed)}"
    signature = jwt.get_algorithm_by_name("HS256").sign(payload.encode(), forge.key.encode())
    return await status(client, f"{payload}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")


class TestRow02Times:
    async def test_the_right_ones_pass(self, client: httpx.AsyncClient, forge: Forge) -> None:
        assert await altered(client, forge, {}) == 200

    @pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
    async def test_a_missing_one_is_401(self, client: httpx.AsyncClient, forge: Forge, name: str) -> None:
        assert await status(client, forge.signed(None, name)) == 401

    @pytest.mark.parametrize("claims", TIMES.values(), ids=TIMES)
    async def test_a_wrong_one_is_401(self, client: httpx.AsyncClient, forge: Forge, claims: dict[str, Any]) -> None:
        assert await altered(client, forge, claims) == 401


class TestRow03IssuerAndAudience:
    @pytest.mark.parametrize("name", ["iss", "aud"])
    async def test_a_missing_one_is_401(self, client: httpx.AsyncClient, forge: Forge, name: str) -> None:
        assert await status(client, forge.signed(None, name)) == 401

    @pytest.mark.parametrize("claims", ISSUERS_AND_AUDIENCES.values(), ids=ISSUERS_AND_AUDIENCES)
    async def test_a_wrong_one_is_401(self, client: httpx.AsyncClient, forge: Forge, claims: dict[str, Any]) -> None:
        assert await altered(client, forge, claims) == 401


class TestOwner:
    @pytest.mark.parametrize("name", ["sub", "sid", "jti"])
    async def test_a_missing_one_is_401(self, client: httpx.AsyncClient, forge: Forge, name: str) -> None:
        assert await status(client, forge.signed(None, name)) == 401

    @pytest.mark.parametrize("claims", OWNERS.values(), ids=OWNERS)
    async def test_a_wrong_one_is_401(self, client: httpx.AsyncClient, forge: Forge, claims: dict[str, Any]) -> None:
        assert await altered(client, forge, claims) == 401


class TestRow08AccessLifetime:
    async def test_it_is_at_most_fifteen_minutes(self, client: httpx.AsyncClient, people: People) -> None:
        pair = (await log_in(client, (await people.user()).username)).json()["data"]
        claims = jwt.decode(pair["accessToken"], options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == pair["expiresIn"] <= 900

    @pytest.mark.parametrize(("seconds", "expected"), [(-10, 200), (0, 401)])
    async def test_the_token_expires_then(
        self, client: httpx.AsyncClient, person: Person, clock: Clock, resources: Resources, seconds: int, expected: int
    ) -> None:
        clock.advance(resources.settings.auth.access_seconds + seconds)
        assert await status(client, person.tokens.access_token) == expected

    async def test_the_session_outlives_the_token(
        self, client: httpx.AsyncClient, person: Person, clock: Clock, resources: Resources
    ) -> None:
        clock.advance(resources.settings.auth.access_seconds)
        headers = {**person.headers, "X-Refresh-Token": person.tokens.refresh_token}
        assert (await client.post("/api/v1/auth/token/refresh", headers=headers)).status_code == 200


class TestPlace:
    @pytest.mark.parametrize(
        "value", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Token {}", "Bearer Bearer {}", "Bearer {},{}"]
    )
    async def test_another_form_is_401(self, client: httpx.AsyncClient, person: Person, value: str) -> None:
        headers = {"Authorization": value.replace("{}", person.tokens.access_token)}
        assert (await client.get(INFO, headers=headers)).status_code == 401

    async def test_a_token_in_the_query_is_ignored(self, client: httpx.AsyncClient, person: Person) -> None:
        query = {"access_token": person.tokens.access_token, "token": person.tokens.access_token}
        assert (await client.get(INFO, params=query)).status_code == 401

    async def test_a_token_in_a_cookie_is_ignored(self, client: httpx.AsyncClient, person: Person) -> None:
        headers = {"Cookie": f"access_token={person.tokens.access_token}"}
        assert (await client.get(INFO, headers=headers)).status_code == 401


def mutated(good: str, chance: random.Random) -> bytes:
    """The token with some of its bytes changed, removed, doubled or moved."""
    token = bytearray(good.encode())
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(token))
        match chance.randrange(6):
            case 0:
                token[place] = chance.choice(b'abcXYZ019-_.=+/ {}"\\\x7f\xff')
            case 1:
                del token[place : place + chance.randint(1, 60)]
            case 2:
                token[place:place] = token[place : place + chance.randint(1, 60)]
            case 3:
                token[place:place] = b"."
            case 4:
                token = token[place:] + token[:place]
            case _:
                parts = bytes(token).split(b".")
                chance.shuffle(parts)
                token = bytearray(b".".join(parts))
        token = token or bytearray(b".")
    return bytes(token)


@pytest.mark.slow
class TestRow07Mutants:
    @pytest.mark.parametrize("header", ["Authorization", "X-Refresh-Token"])
    async def test_all_600_are_401(self, client: httpx.AsyncClient, person: Person, header: str) -> None:
        chance, access = random.Random(7), header == "Authorization"  # noqa: S311 - a corpus that is always the same
        good = person.tokens.access_token if access else person.tokens.refresh_token
        statuses = set()
        for _ in range(600):
            token = mutated(good, chance)
            if token == good.encode():
                continue
            if access:
                response = await client.get(INFO, headers={b"Authorization": b"Bearer " + token})
            else:
                response = await client.post("/api/v1/auth/token/refresh", headers={header.encode(): token})
            statuses.add(response.status_code)
        assert statuses == {401}
