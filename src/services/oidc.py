import base64
import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from src.core.exceptions import UnauthorizedError
from src.core.oidc.errors import OidcDeniedError, OidcStateError
from src.core.oidc.identity import ProviderIdentity
from src.core.resources import Resources
from src.core.security.audit import AuditEntry
from src.core.security.token import AccessClaims
from src.core.unit_of_work import UnitOfWork
from src.crud.login_origin import LoginOrigin
from src.crud.oidc_flow import FinishedLogin, OidcFlowCRUD, PendingLogin
from src.crud.user import UserCRUD
from src.models.linked_identity import LinkedIdentity
from src.schemas.oidc import OidcAnswer
from src.services.client_tokens import ClientInfo, TokenPair
from src.services.oidc_account import OidcAccountService
from src.services.session import SessionService
from src.services.sign_in import SignInService
from src.utils.language import Language

if TYPE_CHECKING:
    from src.core.oidc.provider import OidcProvider


class OidcService:
    """Login with a provider, and linking its identities: the browser goes there, and comes back with a code."""

    def __init__(self, resources: Resources, provider: "OidcProvider") -> None:
        self.resources = resources
        self.provider = provider
        self.flows = OidcFlowCRUD(resources.redis)
        self.sessions = SessionService(resources)

    @property
    def display_name(self) -> str:
        """What people call the provider."""
        return self.provider.settings.display_name or self.provider.name

    async def start(
        self, challenge: str | None = None, claims: AccessClaims | None = None, *, fresh: bool = False
    ) -> tuple[str, str]:
        """Start a login, or linking to the account of `claims`; with `fresh`, the person has to log in there again.

        Returns:
            The URL where the browser goes, and the secret for its cookie: no other browser can finish it.

        Raises:
            OidcUnavailableError: The provider is down.
        """
        state, nonce, verifier, browser = (secrets.token_urlsafe(48) for _ in range(4))
        url = await self.provider.authorization_url(state, nonce=nonce, verifier=verifier, fresh=fresh)
        login = PendingLogin(
            provider=self.provider.name,
            nonce=nonce,
            verifier=verifier,
            browser_hash=_hash(browser),
            challenge=challenge or "",
            user_id=claims.user_id if claims else None,
            session_id=claims.session_id if claims else "",
        )
        await self.flows.keep(state, login)
        return url, browser

    async def finish(
        self, answer: OidcAnswer, browser: str, language: Language | None, entry: AuditEntry
    ) -> FinishedLogin | LinkedIdentity:
        """What came of a login, or the identity that is now linked. Each state serves once, whatever comes of it.

        Raises:
            OidcStateError: The browser has not started it, or it is over.
            OidcDeniedError: The provider did not log the person in.
            OidcFailedError: What the provider sent is not believed.
            OidcNotLinkedError: The identity is nobody's.
            OidcUnavailableError: The provider is down.
            ConflictError: The identity is somebody else's.
            UnauthorizedError: The user is disabled, or the session that links has ended.
        """
        login = await self.flows.take(answer.state)
        is_own = login is not None and hmac.compare_digest(login.browser_hash, _hash(browser))
        if login is None or not is_own or login.provider != self.provider.name:
            raise OidcStateError
        entry.record_anonymous = True
        entry.actor_id = login.user_id
        await self.provider.check_issuer(answer.iss)
        if answer.error or not answer.code:
            raise OidcDeniedError
        identity = await self.provider.redeem(answer.code, nonce=login.nonce, verifier=login.verifier)
        # A transaction of its own: roles are taken away, whatever the session still needs.
        async with self.resources.unit_of_work() as uow:
            accounts = OidcAccountService(uow, self.resources)
            if login.user_id is None:
                user = await accounts.log_in(identity, self.provider.settings, language, entry)
                satisfied = identity.has_sufficient_factor(self.provider.settings)
                return FinishedLogin(user.id, _origin(identity), satisfied, login.challenge, identity.authenticated_at)
            if not await self.sessions.sessions.alive(login.user_id, login.session_id):
                raise UnauthorizedError
            return await accounts.link(login.user_id, identity, self.display_name)


class OidcSignInService:
    """The end of a login with a provider: the session."""

    def __init__(self, uow: UnitOfWork, resources: Resources, client: ClientInfo) -> None:
        self.flows = OidcFlowCRUD(resources.redis)
        self.users = UserCRUD(uow.session)
        self.sign_in = SignInService(uow, resources, client)

    async def keep(self, login: FinishedLogin) -> str:
        """Keep the login for the frontend; returns the single-use code for it."""
        return await self.flows.keep_finished(login)

    async def exchange(self, code: str, verifier: str | None, entry: AuditEntry) -> TokenPair:
        """Start the session of a login that was kept.

        Raises:
            OidcStateError: The code was made up, was used before, is too old, or the verifier is another login's.
            UnauthorizedError: The user was disabled, or the provider has told of a logout.
            ConflictError: The user has too many sessions.
        """
        login = await self.flows.take_finished(code)
        if login is None or not hmac.compare_digest(login.challenge, _challenge(verifier)):
            raise OidcStateError
        return await self.start(login, entry)

    async def start(self, login: FinishedLogin, entry: AuditEntry) -> TokenPair:
        """Start the session of a login."""
        entry.record_anonymous = True
        entry.actor_id = login.user_id
        user = await self.users.find(login.user_id)
        if user is None or not user.status:
            raise UnauthorizedError
        return await self.sign_in.start(
            user.id,
            user.username_key,
            needs_factor=False if login.factor_satisfied else None,
            origin=login.origin,
            authenticated_at=login.authenticated_at,
            is_guessable=False,
        )


def _origin(identity: ProviderIdentity) -> LoginOrigin:
    return LoginOrigin(identity.issuer, identity.subject, identity.session_id, identity.issued_at)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _challenge(verifier: str | None) -> str:
    """S256 of RFC 7636; empty without a verifier."""
    if verifier is None:
        return ""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
