"""How a client gets its refresh token: in the body of the response, or in a cookie that scripts cannot read."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Header, Response
from starlette.requests import HTTPConnection

from src.core.config import Settings
from src.core.exceptions import PermissionDeniedError, UnauthorizedError, raises
from src.deps.database import ResourcesDep
from src.schemas.auth import TokenResponse
from src.services.client_tokens import TokenPair

DEVICE_HEADER = "X-Device-Token"
"""Sent with the response to a login, and by clients with their next login: strangers cannot lock them out."""

IN_COOKIE = "cookie"
"""The value of `X-Refresh-Token` by which a client chooses the cookie. Pages of other origins cannot send headers."""

RefreshHeader = Annotated[
    str | None,
    Header(
        alias="X-Refresh-Token",
        description="The refresh token; or `cookie`, where `REFRESH_COOKIE_ENABLED` is set: it is in the cookie, "
        "and the next one goes there.",
        examples=["eyJhbGciOiJIUzI1NiJ9.e30.c2ln"],
    ),
]

FOREIGN_ORIGIN = PermissionDeniedError(
    "Pages of this origin may not use the cookie of the refresh token.", error="auth.foreign_origin"
)


@dataclass(frozen=True, slots=True)
class TokenDelivery:
    """Hands token pairs out: the refresh token in the body, or in the cookie if the client has asked for that."""

    response: Response
    cookie: str | None

    def hand_out(self, pair: TokenPair) -> TokenResponse:
        """The response for a token pair; sets the headers for the cookie and for the device token of a login."""
        if pair.device_token:
            self.response.headers[DEVICE_HEADER] = pair.device_token
        tokens = TokenResponse.model_validate(pair)
        if self.cookie is None:
            return tokens
        self.response.set_cookie(
            self.cookie,
            pair.refresh_token,
            max_age=pair.refresh_expires_in,
            secure=True,
            httponly=True,
            samesite="strict",
        )
        return tokens.model_copy(update={"refresh_token": ""})


@raises(FOREIGN_ORIGIN)
async def get_token_delivery(
    connection: HTTPConnection, response: Response, resources: ResourcesDep, token: RefreshHeader = None
) -> TokenDelivery:
    """For every route that hands out tokens: `ok(delivery.hand_out(pair))`.

    Raises:
        PermissionDeniedError: A page of a foreign origin asks for the cookie.
    """
    settings = resources.settings
    if token != IN_COOKIE or not settings.auth.refresh_cookie_enabled:
        return TokenDelivery(response, None)
    check_origin(connection, settings)
    return TokenDelivery(response, cookie_name(settings))


TokenDeliveryDep = Annotated[TokenDelivery, Depends(get_token_delivery)]


@raises(FOREIGN_ORIGIN)
async def find_refresh_token(
    connection: HTTPConnection, resources: ResourcesDep, token: RefreshHeader = None
) -> AsyncIterator[str | None]:
    """The refresh token of the `X-Refresh-Token` header, or of the cookie if that says so; not yet verified.

    A 401 deletes the cookie: its session has ended, and the browser would go on sending it.

    Raises:
        PermissionDeniedError: A page of a foreign origin wants to use the cookie.
    """
    settings = resources.settings
    if token != IN_COOKIE or not settings.auth.refresh_cookie_enabled:
        yield None if token == IN_COOKIE else token
        return
    check_origin(connection, settings)
    name = cookie_name(settings)
    try:
        yield connection.cookies.get(name)
    except UnauthorizedError as error:
        if name in connection.cookies and error.error == UnauthorizedError.error:
            error.headers["Set-Cookie"] = deleted_cookie(settings)
        raise


FoundRefreshTokenDep = Annotated[str | None, Depends(find_refresh_token)]


def delete_cookie(connection: HTTPConnection, response: Response, settings: Settings) -> None:
    """Delete the cookie, if the request has it."""
    if settings.auth.refresh_cookie_enabled and cookie_name(settings) in connection.cookies:
        response.headers.append("Set-Cookie", deleted_cookie(settings))


def deleted_cookie(settings: Settings) -> str:
    """The header `Set-Cookie` that deletes the cookie."""
    response = Response()
    response.delete_cookie(cookie_name(settings), secure=True, httponly=True, samesite="strict")
    return response.headers["Set-Cookie"]


def cookie_name(settings: Settings) -> str:
    """The name of the cookie; by the prefix `__Host-`, browsers take it from no other host and from no plain HTTP."""
    return "__Host-refresh_token" if settings.ENVIRONMENT.is_deployed else "refresh_token"


def check_origin(connection: HTTPConnection, settings: Settings) -> None:
    """Check that a page of this host, or of one of `CORS_ORIGINS`, has sent the request, or no page at all.

    Raises:
        PermissionDeniedError: Another page has.
    """
    origin = connection.headers.get("origin")
    if origin is None or settings.cors.allows(origin):
        return
    if not _host_of(origin) or _host_of(origin) != connection.headers.get("host"):
        raise PermissionDeniedError(FOREIGN_ORIGIN.message, error=FOREIGN_ORIGIN.error)


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
