"""A login: any `httpx` request of `Session.http` has its access token, which is renewed when it has expired."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, Protocol, TypedDict

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

ANONYMOUS = httpx.Auth()
UNAUTHORIZED = 401


class Tokens(TypedDict):
    """The tokens of a session; lifetimes in seconds."""

    accessToken: str
    refreshToken: str
    expiresIn: int


class ApiError(Exception):
    """An error response; `error` is its stable name, such as `resource.not_found`."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(body.get("message") or f"The server responded with {status}.")
        self.status = status
        self.error: str = body.get("error") or "unknown"
        self.request_id: str = body.get("requestId") or ""
        self.data = body.get("data")

    @property
    def fields(self) -> dict[str, str]:
        """The message of each invalid field, if the input was invalid."""
        if self.error != "request.validation":
            return {}
        return {error["field"]: error["message"] for error in self.data or ()}


def unwrap(response: httpx.Response) -> Any:
    """The `data` of a response.

    Raises:
        ApiError: The response is an error.
    """
    try:
        body = response.json()
    except ValueError:
        body = {}
    if response.is_error:
        raise ApiError(response.status_code, body)
    return body.get("data")


async def encrypt(http: httpx.AsyncClient, password: str) -> dict[str, str]:
    """`password` and `kid` of a request body, encrypted with a new challenge."""
    key = unwrap(await http.get("/api/v1/auth/keys/public", auth=ANONYMOUS))
    public = load_pem_public_key(key["publicKey"].encode())
    if not isinstance(public, RSAPublicKey):
        raise TypeError("The public key is no RSA key.")
    secret = json.dumps({"p": password, "c": key["challenge"]}).encode()
    ciphertext = public.encrypt(secret, OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), None))
    return {"password": base64.b64encode(ciphertext).decode(), "kid": key["kid"]}


class TokenStore(Protocol):
    """Where a session keeps its tokens."""

    def read(self) -> Tokens | None:
        """The tokens, None if nobody is logged in."""

    def write(self, tokens: Tokens | None) -> None:
        """Keep new tokens, or forget them."""


class MemoryStore:
    """Forgets the tokens with the process."""

    def __init__(self) -> None:
        self._tokens: Tokens | None = None

    def read(self) -> Tokens | None:
        """The tokens."""
        return self._tokens

    def write(self, tokens: Tokens | None) -> None:
        """Keep them."""
        self._tokens = tokens


class Session:
    """A login, or an API key; a context manager that closes its connections.

    `http` sends any request with the access token, or with the key.
    """

    def __init__(
        self, url: str, store: TokenStore | None = None, *, api_key: str | None = None, timeout: float = 30
    ) -> None:
        self.url = url
        auth = _Bearer(self) if api_key is None else _Key(api_key)
        self.http = httpx.AsyncClient(base_url=url, auth=auth, timeout=timeout)
        self.listeners: set[Callable[[Tokens | None], None]] = set()
        self._store: TokenStore = MemoryStore() if store is None else store
        self._refreshing = asyncio.Lock()
        self._expires_at = 0.0

    async def __aenter__(self) -> "Session":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    @property
    def tokens(self) -> Tokens | None:
        """The current tokens."""
        return self._store.read()

    @property
    def seconds_left(self) -> float:
        """How long the access token is valid; 0 if that is unknown, since another process got it."""
        return max(self._expires_at - time.monotonic(), 0)

    async def login(self, username: str, password: str) -> None:
        """Log in with an encrypted password."""
        body = {"username": username, **await self.encrypt(password)}
        self._keep(unwrap(await self.http.post("/api/v1/auth/login", json=body, auth=ANONYMOUS)))

    async def logout(self) -> None:
        """End the session on the server."""
        await self.call("POST", "/api/v1/auth/logout")
        self._keep(None)

    async def encrypt(self, password: str) -> dict[str, str]:
        """`password` and `kid` of a request body, encrypted with a new challenge."""
        return await encrypt(self.http, password)

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: object = None,
    ) -> Any:
        """The `data` of a response; a query parameter or header that is None is left out.

        Raises:
            ApiError: The response is an error.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        sent = {name: value for name, value in (headers or {}).items() if value is not None}
        return unwrap(await self.http.request(method, path, params=given, headers=sent, json=body))

    async def refresh(self, used: str | None = None) -> Tokens:
        """Exchange the refresh token, unless it is no longer the one that was `used`: calls at the same time share one.

        Raises:
            ApiError: The session has ended (401), or the server cannot be asked.
        """
        if used is None:
            used = self.tokens["refreshToken"] if self.tokens else ""
        async with self._refreshing:
            current = self.tokens
            if current is not None and current["refreshToken"] != used:
                return current
            headers = {"X-Refresh-Token": used}
            response = await self.http.post("/api/v1/auth/token/refresh", headers=headers, auth=ANONYMOUS)
            if response.status_code == UNAUTHORIZED:
                self._keep(None)
            tokens: Tokens = unwrap(response)
            self._keep(tokens)
            return tokens

    def _keep(self, tokens: Tokens | None) -> None:
        self._expires_at = time.monotonic() + (tokens["expiresIn"] if tokens else 0)
        self._store.write(tokens)
        for listener in list(self.listeners):
            listener(tokens)


class _Key(httpx.Auth):
    """Adds an API key, which nothing renews."""

    def __init__(self, key: str) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._key}"
        yield request


class _Bearer(httpx.Auth):
    """Adds the access token; after a 401, refreshes it and sends the request again."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        raise RuntimeError("A session is asynchronous.")

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        tokens = self._session.tokens
        if tokens is None:
            yield request
            return
        request.headers["Authorization"] = f"Bearer {tokens['accessToken']}"
        response = yield request
        if response.status_code != UNAUTHORIZED:
            return
        try:
            tokens = await self._session.refresh(tokens["refreshToken"])
        except (ApiError, httpx.HTTPError):
            return  # the caller gets the 401
        request.headers["Authorization"] = f"Bearer {tokens['accessToken']}"
        yield request
