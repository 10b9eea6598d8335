"""500 changed states, codes, cookies, ID tokens and logout tokens: none is accepted."""

import base64
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import httpx2
import pytest

from src.core.oidc.contact import Contact
from src.core.oidc.errors import OidcFailedError
from src.core.resources import Resources
from src.models.user import User
from tests.security.oidc.conftest import EXCHANGE, PAGE, Setup, direct, fragment, log_in, to_callback, with_query
from tests.support.openid import Json, OpenIDProvider, key, signed

pytestmark = pytest.mark.slow

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
REPLACEMENTS: list[Any] = [None, "", "x", 0, -1, 7.5, True, [], {}, ["x", "y"], {"a": 1}, float("inf"), "\0"]
CHECKED_CLAIMS = ["iss", "aud", "exp", "iat", "sub", "nonce"]
LOGOUT_CLAIMS = ["iss", "aud", "iat", "jti", "events"]


class Mutator:
    """Changes texts and tokens, the same ones in each run."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)  # noqa: S311 - reproducible on purpose

    def text(self, text: str) -> str:
        """Another text: a character replaced, removed or added, its end cut off, or its case changed."""
        place = self.random.randrange(len(text))
        other = self.random.choice([each for each in ALPHABET if each != text[place]])
        return self.random.choice(
            [
                text[:place] + other + text[place + 1 :],
                text[:place] + text[place + 1 :],
                text[:place] + other + text[place:],
                text[:place],
                text.swapcase(),
                text + text,
            ]
        )

    def claims(self, claims: Json, checked: list[str], by: Callable[[Json], str]) -> str:
        """A token that the provider has signed, with a claim that is missing or wrong."""
        name = self.random.choice(checked)
        value = self.random.choice([each for each in REPLACEMENTS if not _is_right(name, each)])
        return by(
            {each: old for each, old in claims.items() if each != name} if value is None else {**claims, name: value}
        )

    def forged(self, token: str) -> str:
        """A token that the provider has not signed."""
        header, payload, signature = token.split(".")
        fields = json.loads(base64.urlsafe_b64decode(header + "=="))
        algorithm = self.random.choice(
            ["none", "None", "HS256", "HS512", "RS384", "PS256", "ES256", "", "RS256 ", None]
        )
        return self.random.choice(
            [
                f"{self.text(header)}.{payload}.{signature}",
                f"{header}.{self.text(payload)}.{signature}",
                f"{header}.{payload}.{self.text(signature)}",
                f"{_encode({**fields, 'alg': algorithm})}.{payload}.{self.random.choice([signature, ''])}",
                f"{_encode({**fields, 'kid': self.random.choice(['', 'x', 7, None, '../key'])})}.{payload}.{signature}",
                f"{_encode({**fields, 'b64': False, 'crit': ['b64']})}.{payload}.{signature}",
                self.random.choice(["", ".", "..", f"{header}.{payload}", f"{token}.{signature}", signature]),
            ]
        )


def _is_right(name: str, value: Any) -> bool:
    """Whether a claim may have this value: a token may expire whenever its provider says."""
    return (name, value) in (("exp", float("inf")), ("sub", "x"), ("jti", "x"))


def _encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


async def is_refused(call: Awaitable[object]) -> bool:
    try:
        await call
    except OidcFailedError:
        return True
    return False


async def test_300_tokens_are_refused(
    client: httpx.AsyncClient,
    linked: User,
    provider: OpenIDProvider,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mutate, known, answer = Mutator("tokens"), direct("test", resources), {"id_token": ""}

    def respond(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/token":
            return httpx2.Response(200, json=answer)
        status, headers, body = provider.respond(request.url.path, {}, {}, "")
        return httpx2.Response(status, headers=headers, content=body)

    # Hundreds of requests, without a network.
    monkeypatch.setattr(Contact, "options", {"transport": httpx2.MockTransport(respond)})

    def by_provider(claims: Json) -> str:
        return signed(claims, key(0))

    refused, right = 0, by_provider(provider.id_token("n"))
    for number in range(200):
        claims = provider.id_token("n")
        is_signed = number % 2
        token = mutate.claims(claims, CHECKED_CLAIMS, by_provider) if is_signed else mutate.forged(right)
        answer["id_token"] = token
        refused += await is_refused(known.redeem("code", nonce="n", verifier="v" * 43))
    logout = by_provider(provider.logout_token())
    for number in range(100):
        claims = provider.logout_token()
        token = mutate.claims(claims, LOGOUT_CLAIMS, by_provider) if number % 2 else mutate.forged(logout)
        refused += await is_refused(known.read_logout_token(token))
    assert refused == 300
    answer["id_token"] = right
    assert (await known.redeem("code", nonce="n", verifier="v" * 43)).subject == provider.claims["sub"]
    assert (await known.read_logout_token(logout)).subject == provider.claims["sub"]


async def test_200_states_cookies_and_codes_are_refused(client: httpx.AsyncClient, linked: User, setup: Setup) -> None:
    setup.configure(frontend_url=PAGE)
    mutate, refused = Mutator("states"), 0
    url = httpx.URL(await to_callback(client))
    cookie = next(iter(client.cookies.jar))
    for _ in range(120):
        response = await client.get(with_query(str(url), state=mutate.text(url.params["state"])))
        refused += fragment(response) == {"error": "auth.oidc_state"}
    code = fragment(await client.get(str(url)))["code"]
    for _ in range(70):
        response = await client.post(EXCHANGE, json={"code": mutate.text(code)})
        refused += response.status_code in (400, 422)
    assert (await client.post(EXCHANGE, json={"code": code})).status_code == 200
    for _ in range(10):  # each uses its login up
        url = httpx.URL(await to_callback(client))
        value = next(iter(client.cookies.jar)).value or ""
        client.cookies.set(cookie.name, mutate.text(value), domain=cookie.domain, path="/")
        refused += fragment(await client.get(str(url))) == {"error": "auth.oidc_state"}
        client.cookies.clear()
    assert refused == 200
    assert "code" in fragment(await log_in(client))
