import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc.jwt import JWTClaimsRegistry, Token

from src.core.config.identity.oidc import OidcSettings
from src.core.oidc.contact import Contact
from src.core.oidc.errors import OidcFailedError
from src.core.oidc.identity import ProviderIdentity, ProviderLogout
from src.core.oidc.published import INVALID, PublishedCache

log = structlog.get_logger(__name__)

LEEWAY_SECONDS = 60
MAXIMUM_AGE_SECONDS = 600
"""How long ago a token may have been issued: both kinds are sent at once."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class OidcProvider:
    """One provider. All methods raise `OidcUnavailableError` if it does not answer, or answers nonsense.

    Args:
        name: Its name in the settings.
        settings: All providers.
        allows_http: Whether its endpoints may do without HTTPS.
        clock: The time in Unix seconds.
    """

    def __init__(
        self, name: str, settings: OidcSettings, *, allows_http: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self.settings = settings.providers[name]
        self.issuer = self.settings.issuer
        self._callback_url = settings.callback_url(name)
        self._contact = Contact(name, settings.timeout_seconds)
        self._published = PublishedCache(name, self.issuer, self._contact, allows_http=allows_http, clock=clock)
        self._clock = clock

    async def check(self) -> None:
        """Ask what it publishes: its endpoints and its keys."""
        await self._published.get()

    async def authorization_url(self, state: str, *, nonce: str, verifier: str, fresh: bool = False) -> str:
        """Where the browser goes to log in; with `fresh`, also if the person is logged in there."""
        metadata = (await self._published.get()).metadata
        client = OAuth2Client(
            None,
            self.settings.client_id,
            scope=" ".join(self.settings.scopes),
            redirect_uri=self._callback_url,
            code_challenge_method="S256",
        )
        wanted = {"acr_values": " ".join(self.settings.sufficient_acr)} if self.settings.sufficient_acr else {}
        wanted |= {"prompt": "login", "max_age": "0"} if fresh else {}
        url, _ = client.create_authorization_url(
            metadata["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce, **wanted
        )
        return str(url)

    async def check_issuer(self, issuer: str | None) -> None:
        """Check the parameter `iss` with which a provider sends the browser back (RFC 9207).

        Raises:
            OidcFailedError: It is another provider's, or is missing although this one sends it.
        """
        metadata = (await self._published.get()).metadata
        is_required = metadata.get("authorization_response_iss_parameter_supported") is True
        if issuer != self.issuer and (is_required or issuer is not None):
            raise self._failed("iss of the response")

    async def redeem(self, code: str, *, nonce: str, verifier: str) -> ProviderIdentity:
        """Exchange a code for an ID token, and verify that.

        Raises:
            OidcFailedError: The code or the ID token is refused.
        """
        metadata = (await self._published.get()).metadata
        tokens = await self._exchange(metadata, code, verifier)
        try:
            return await self._verify(metadata, tokens, nonce)
        except INVALID as error:
            raise self._failed(f"{type(error).__name__}: {error}") from error

    async def _verify(self, metadata: Mapping[str, Any], tokens: Mapping[str, Any], nonce: str) -> ProviderIdentity:
        token, access_token = await self._published.verify(tokens.get("id_token")), tokens.get("access_token")
        params = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": access_token}
        claims = CodeIDToken(token.claims, token.header, self._expected, params)
        claims.validate(now=int(self._clock()), leeway=LEEWAY_SECONDS)
        self._check_age(claims)
        identity = ProviderIdentity.of(self.name, claims)
        if isinstance(access_token, str) and not self._promised.issubset(claims):
            more = await self._user_info(metadata, access_token, identity.subject)
            if "email" in claims:  # this says nothing about another address
                more.pop("email_verified", None)
            identity = ProviderIdentity.of(self.name, {**more, **claims})
        return identity

    async def read_logout_token(self, token: str) -> ProviderLogout:
        """Who is logged out, by a logout token of back-channel logout.

        Raises:
            OidcFailedError: The token is refused.
        """
        try:
            return self._logout(await self._published.verify(token))
        except INVALID as error:
            raise self._failed(f"{type(error).__name__}: {error}") from error

    def _logout(self, token: Token) -> ProviderLogout:
        claims, now = token.claims, int(self._clock())
        required = {name: {"essential": True} for name in ("iat", "jti", "events")}
        JWTClaimsRegistry(now, LEEWAY_SECONDS, **self._expected, **required).validate(claims)  # type: ignore[arg-type]
        kind = str(token.header.get("typ", "JWT")).lower().removeprefix("application/")
        if kind not in ("jwt", "logout+jwt") or "nonce" in claims:
            raise ValueError("not a logout token")
        if not isinstance(claims["events"].get(LOGOUT_EVENT), dict):
            raise ValueError("events")
        self._check_age(claims)
        return ProviderLogout.of(self.issuer, claims)

    def _check_age(self, claims: Mapping[str, Any]) -> None:
        if self._clock() - claims["iat"] > MAXIMUM_AGE_SECONDS:
            raise ValueError("iat is too long ago")

    @property
    def _expected(self) -> dict[str, dict[str, Any]]:
        return {
            "iss": {"essential": True, "value": self.issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
        }

    @property
    def _promised(self) -> set[str]:
        """Claims that a login needs; many providers send them with the user info alone."""
        email = {"email"} if "email" in self.settings.scopes else set[str]()
        return email | {self._role_claim} - {""}

    @property
    def _role_claim(self) -> str:
        return (self.settings.role_claim or "").partition(".")[0]

    async def _exchange(self, metadata: Mapping[str, Any], code: str, verifier: str) -> Mapping[str, Any]:
        secret = self.settings.client_secret
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
        client = AsyncOAuth2Client(
            self.settings.client_id,
            secret.get_secret_value() if secret else None,
            token_endpoint_auth_method=method if secret else "none",
            redirect_uri=self._callback_url,
            **self._contact.options,
        )
        async with self._contact.asking("token_endpoint"), client:
            try:
                tokens: dict[str, Any] = {
                    **await client.fetch_token(
                        metadata["token_endpoint"], grant_type="authorization_code", code=code, code_verifier=verifier
                    )
                }
            except OAuthError as error:
                raise self._failed(f"token endpoint: {error.error}") from error
        return tokens

    async def _user_info(self, metadata: Mapping[str, Any], access_token: str, subject: str) -> dict[str, Any]:
        """The claims of the user info that a login uses; none that say how the person has logged in."""
        url = metadata.get("userinfo_endpoint")
        if url is None:
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        claims = await self._contact.get_json("userinfo_endpoint", url, headers)
        if claims.get("sub") != subject:
            raise self._failed("sub of the user info")
        used = ("email", "email_verified", "name", "preferred_username", self._role_claim)
        return {name: claims[name] for name in used if name in claims}

    def _failed(self, reason: str) -> OidcFailedError:
        log.warning("oidc_failed", provider=self.name, reason=reason[:256])
        return OidcFailedError(reason)
