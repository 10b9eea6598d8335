from typing import TYPE_CHECKING

import structlog

from src.core.exceptions import BadRequestError
from src.core.oidc.errors import OidcFailedError
from src.core.resources import Resources
from src.crud.login_origin import LoginOriginCRUD
from src.crud.oidc_flow import OidcFlowCRUD
from src.services.session import SessionService

if TYPE_CHECKING:
    from src.core.oidc.provider import OidcProvider

log = structlog.get_logger(__name__)

# Longer than a logout token is accepted, by both clocks.
REMEMBERED_SECONDS = 1200


class InvalidLogoutError(BadRequestError):
    """A logout token is not the provider's, is too old, or was used before; the response does not say which."""

    error = "auth.invalid_logout_token"
    message = "The logout token is invalid, was used before, or is too old."


class OidcLogoutService:
    """Back-channel logout: a provider tells that somebody has logged out there."""

    def __init__(self, resources: Resources, provider: "OidcProvider") -> None:
        self.provider = provider
        self.flows = OidcFlowCRUD(resources.redis)
        self.origins = LoginOriginCRUD(resources.redis)
        self.sessions = SessionService(resources)

    async def log_out(self, token: str) -> int:
        """End the sessions that came from the session or the person that the token names; returns their number.

        Raises:
            InvalidLogoutError: The token is refused.
            OidcUnavailableError: The provider's keys cannot be fetched.
        """
        try:
            logout = await self.provider.read_logout_token(token)
        except OidcFailedError as error:
            raise InvalidLogoutError from error
        token_id = f"{logout.issuer} {logout.token_id}"
        if await self.flows.is_used(token_id):
            raise InvalidLogoutError
        origin = logout.issuer, logout.subject, logout.session_id
        await self.origins.end(*origin, logout.issued_at)  # first, for a login that is under way
        ended = 0
        for user_id, session_id in await self.origins.find(*origin):
            ended += await self.sessions.end_one(user_id, session_id)
        # Last: after an error the provider may send it again.
        await self.flows.use(token_id, REMEMBERED_SECONDS)
        log.info("oidc_logout", provider=self.provider.name, sessions=ended)
        return ended
