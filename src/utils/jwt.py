"""Signed JWTs: one algorithm, a fixed set of keys, every claim required.

The current time is not checked here: only `TokenIssuer` checks expiry.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt

ALGORITHM = "HS256"


class InvalidTokenError(Exception):
    """The token was not signed by us, or is not of this type."""


def key_id(key: str) -> str:
    """A short identifier of a secret key that does not reveal it."""
    return hashlib.sha256(b"kid:" + key.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TokenCodec:
    """Signs and verifies one type of token.

    Attributes:
        typ: The header's `typ`: `at+jwt` or `rt+jwt`.
        keys: The signing key, then older keys that are still accepted.
        claims: The required claims, besides `iss` and `aud`.
        maximum_seconds: The longest lifetime (`exp` - `iat`) that is accepted.
    """

    typ: str
    keys: Sequence[str]
    issuer: str
    audience: str
    claims: Sequence[str]
    maximum_seconds: int

    @cached_property
    def _headers(self) -> dict[str, jwt.PyJWK]:
        """The encoded header of our tokens, for each key.

        Looking it up as a whole checks the algorithm, the type and the key id before anything is parsed.
        """
        return {self._header(key): _prepared(key) for key in self.keys}

    @cached_property
    def _signing_key(self) -> jwt.PyJWK:
        return _prepared(self.keys[0])

    def _header(self, key: str) -> str:
        token = jwt.encode({}, key, ALGORITHM, headers=self._header_fields(key))
        return token.partition(".")[0]

    def _header_fields(self, key: str) -> dict[str, str]:
        return {"typ": self.typ, "kid": key_id(key)}

    def encode(self, claims: Mapping[str, Any]) -> str:
        """Sign the claims; the same claims give the same token."""
        payload = {"iss": self.issuer, "aud": self.audience, **claims}
        return jwt.encode(payload, self._signing_key, ALGORITHM, headers=self._header_fields(self.keys[0]))

    def decode(self, token: str) -> dict[str, Any]:
        """Verify everything except expiry, and return the claims.

        Raises:
            InvalidTokenError: The signature, the header, a claim or the lifetime is wrong. Callers are not told which.
        """
        try:
            claims = jwt.decode(
                token,
                self._headers[token.partition(".")[0]],
                algorithms=[ALGORITHM],
                issuer=self.issuer,
                audience=self.audience,
                options={
                    "require": ["iss", "aud", *self.claims],
                    "strict_aud": True,
                    "verify_iat": False,  # these three are checked below, and by `TokenIssuer`
                    "verify_nbf": False,
                    "verify_exp": False,
                },
            )
            if not _is_canonical(token.rpartition(".")[2]) or not self._has_valid_lifetime(claims):
                raise InvalidTokenError
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise InvalidTokenError from error
        return dict(claims)

    def _has_valid_lifetime(self, claims: Mapping[str, Any]) -> bool:
        times = (claims["iat"], claims["nbf"], claims["exp"])
        if not all(isinstance(moment, int) for moment in times):
            return False
        return bool(claims["exp"] - claims["iat"] <= self.maximum_seconds)


def _is_canonical(segment: str) -> bool:
    """Whether this is the canonical base64 of its bytes: decoders ignore some bits of the last character."""
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(segment + "==")).rstrip(b"=").decode() == segment


def _prepared(key: str) -> jwt.PyJWK:
    """The key in the form that PyJWT does not have to parse for every token."""
    secret = base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    return jwt.PyJWK({"kty": "oct", "k": secret, "alg": ALGORITHM})
