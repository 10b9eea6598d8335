"""Step-up: routes and events for callers who have proved who they are a short time ago."""

from functools import cache

from fastapi import Depends
from fastapi.params import Depends as DependsMarker
from starlette.requests import HTTPConnection

from src.core.exceptions import UnauthorizedError, raises
from src.deps.auth import HeaderAccessTokenDep, is_api_key, read_claims
from src.deps.database import ResourcesDep
from src.services.login_only import login_required


def recent_login_required() -> UnauthorizedError:
    """The error for a caller whose last proof is too long ago."""
    return UnauthorizedError("Prove again who you are.", error="auth.recent_login_required")


@cache
def require_recent(minutes: float = 10) -> DependsMarker:
    """A dependency for routes and events that a stolen session must not be enough for.

    @router.delete("/{invoiceId}", dependencies=[require_recent(minutes=10)])

    The time is in the access token, so the check costs no round trip. `POST /auth/reauthentication` renews it.

    Raises:
        UnauthorizedError: The caller's last proof is longer ago, or the request has an API key.
    """

    @raises(recent_login_required(), login_required())
    async def check_recent(connection: HTTPConnection, token: HeaderAccessTokenDep, resources: ResourcesDep) -> None:
        if is_api_key(token, resources):
            raise login_required()
        if not resources.tokens.is_recent(read_claims(connection, token, resources), minutes * 60):
            raise recent_login_required()

    marker: DependsMarker = Depends(check_recent)
    return marker
