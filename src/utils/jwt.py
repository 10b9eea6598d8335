"""Signed tokens: one algorithm, keys chosen by an allow-list of `kid`, every claim demanded."""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jwt

ALGORITHM = "HS256"


class InvalidTokenError(Exception):
    """The token is not ours, not valid now, or not of this kind."""


def key_id(key: str) -> str:
    """A short name of a secret key that does not give it away."""
    return hashlib.sha256(b"kid:" + key.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TokenCodec:
    """Signs and verifies one kind of token.

    Attributes:
        typ: The header's `typ`: `at+jwt` or `rt+jwt`.
        keys: The signing key, then older ones that are still accepted.
        claims: The claims that must be there, beside `iss` and `aud`.
        maximum_seconds: The longest lifetime (`exp` - `iat`) that is believed.
        clock: Tells the present in Unix seconds.
    """

    typ: str
    keys: Sequence[str]
    issuer: str
    audience: str
    claims: Sequence[str]
    maximum_seconds: int
    clock: Callable[[], float] = time.time

    @cached_property
    def _headers(self) -> dict[str, jwt.PyJWK]:
        """The exact first part of every token of ours, and the key behind it.

        Comparing it as a whole allows one algorithm, one type and known keys in one look-up, before anything is parsed.
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
        """Sign the claims; equal claims give an equal token."""
        payload = {"iss": self.issuer, "aud": self.audience, **claims}
        return jwt.encode(payload, self._signing_key, ALGORITHM, headers=self._header_fields(self.keys[0]))

    def decode(self, token: str) -> dict[str, Any]:
        """Verify everything and return the claims.

        Raises:
            InvalidTokenError: For any reason; which one is nobody's business outside.
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
                    "verify_iat": False,  # these three by `clock`, below
                    "verify_nbf": False,
                    "verify_exp": False,
                },
            )
            if not _is_canonical(token.rpartition(".")[2]) or not self._is_current(claims):
                raise InvalidTokenError
        except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError, OverflowError) as error:
            raise InvalidTokenError from error
        return dict(claims)

    def _is_current(self, claims: Mapping[str, Any]) -> bool:
        times: list[int] = [claims["iat"], claims["nbf"], claims["exp"]]
        if not all(isinstance(moment, int) for moment in times):
            return False
        issued, begins, ends = times
        return max(issued, begins) <= self.clock() < ends <= issued + self.maximum_seconds


def _is_canonical(segment: str) -> bool:
    """Whether this is the one spelling of its bytes: base64's last character has bits that no decoder looks at."""
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(segment + "==")).rstrip(b"=").decode() == segment


def _prepared(key: str) -> jwt.PyJWK:
    """The key in the form that PyJWT need not examine again for every token."""
    secret = base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    return jwt.PyJWK({"kty": "oct", "k": secret, "alg": ALGORITHM})
