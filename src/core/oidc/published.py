from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet, import_key
from joserfc.jws import JWSRegistry

from src.core.config.identity.oidc import is_allowed_url, is_local
from src.core.oidc.contact import Contact
from src.core.oidc.errors import OidcUnavailableError
from src.utils.single_flight import SingleFlight

log = structlog.get_logger(__name__)

# Asymmetric ones alone: with another, everybody who knows the public key could sign.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
KEY_TYPES = {"RSA", "EC", "OKP"}

CACHED_SECONDS = 3600
RENEWAL_SECONDS = 60
"""An unknown key may have been added just now: keys are fetched again, but not more often than this."""

INVALID = (JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
"""What libraries raise for keys and tokens that are not what they should be."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a provider publishes, as of a time: the discovery document, and the keys that it signs with."""

    metadata: Mapping[str, Any]
    keys: KeySet
    fetched_at: float

    def verify(self, token: str) -> jwt.Token:
        """The content of a signed token; its claims are not checked yet. Raises what `INVALID` lists."""
        registry = JWSRegistry(algorithms=_algorithms(self.metadata), strict_check_header=False)
        return jwt.decode(token, self.keys, registry=registry)


class PublishedCache:
    """What a provider publishes, fetched when it is needed, once an hour, and for a key that is not known yet.

    Raises `OidcUnavailableError` if the provider does not answer, is another one than its name says, or has endpoints
    without HTTPS.
    """

    def __init__(
        self, provider: str, issuer: str, contact: Contact, *, allows_http: bool, clock: Callable[[], float]
    ) -> None:
        self._provider = provider
        self._issuer = issuer
        self._contact = contact
        self._allows_http = allows_http
        self._clock = clock
        self._known: Published | None = None
        self._renewed_at = 0.0
        self._flight = SingleFlight()

    async def get(self) -> Published:
        """What was published within the last hour."""
        known = self._known
        if known is None or self._clock() - known.fetched_at > CACHED_SECONDS:
            known = await self._flight.do("fetch", self._fetch)  # concurrent logins share one request
        return known

    async def verify(self, token: object) -> jwt.Token:
        """The content of a signed token, by the current keys. Raises what `INVALID` lists, too."""
        if not isinstance(token, str):
            raise TypeError("There is no token.")
        published = await self.get()
        try:
            return published.verify(token)
        except InvalidKeyIdError:
            if self._clock() - self._renewed_at < RENEWAL_SECONDS:
                raise
        self._renewed_at = self._clock()
        return (await self._flight.do("fetch", self._fetch)).verify(token)

    async def _fetch(self) -> Published:
        now = self._clock()
        metadata = await self._contact.get_json("discovery", get_well_known_url(self._issuer, external=True))
        urls = [metadata.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
        urls += [metadata["userinfo_endpoint"]] if "userinfo_endpoint" in metadata else []
        # Only a provider on this machine, or of a developer, may send requests to this machine.
        may_be_local = self._allows_http or is_local(self._issuer)
        is_safe = all(
            is_allowed_url(url, allows_http=self._allows_http) and (may_be_local or not is_local(url)) for url in urls
        )
        if metadata.get("issuer") != self._issuer or not is_safe:
            log.error("oidc_misconfigured", provider=self._provider, issuer=str(metadata.get("issuer"))[:256])
            raise OidcUnavailableError
        keys = _import_keys(await self._contact.get_json("jwks_uri", metadata["jwks_uri"]))
        self._known = Published(metadata, keys, now)
        return self._known


def _algorithms(metadata: Mapping[str, Any]) -> list[str]:
    """Those that the provider names and that are safe; RS256, which every provider has, if it names none of them."""
    named = metadata.get("id_token_signing_alg_values_supported")
    return [name for name in ALGORITHMS if isinstance(named, list) and name in named] or ["RS256"]


def _import_keys(published: Mapping[str, Any]) -> KeySet:
    """The keys that can verify a signature; others, also of kinds that nobody knows yet, are left out."""
    keys: list[Key] = []
    entries = published.get("keys")
    for entry in entries if isinstance(entries, list) else ():
        try:
            if entry["kty"] in KEY_TYPES:
                keys.append(import_key(entry))
        except INVALID as error:
            log.info("oidc_key_ignored", error=type(error).__name__)
    return KeySet(keys)
