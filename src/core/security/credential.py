import json
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from src.core.config.auth import AuthSettings
from src.utils import rsa


@dataclass(frozen=True, slots=True)
class Credential:
    """The contents of an encrypted password."""

    password: str
    challenge: str


class CredentialBox:
    """Decrypts passwords with the RSA keys of the login: the current key, and the previous one during a rotation."""

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings

    @cached_property
    def _current(self) -> RSAPrivateKey:
        return self._settings.rsa_private_key

    @cached_property
    def _keys(self) -> dict[str, RSAPrivateKey]:
        previous = self._settings.rsa_previous_private_key
        return {rsa.key_id(key): key for key in (self._current, previous) if key is not None}

    @cached_property
    def kid(self) -> str:
        """The id of the current key, which clients should use."""
        return rsa.key_id(self._current)

    @cached_property
    def public_pem(self) -> str:
        """The public half of the current key, as PEM."""
        return rsa.public_pem(self._current)

    def open(self, ciphertext: str, kid: str) -> Credential | None:
        """Decrypt and parse; None if anything is malformed. Slow, so call it in `HashPool`."""
        # An unknown kid is decrypted with the current key, so that it takes as long as a known one.
        plaintext = rsa.decrypt(self._keys.get(kid, self._current), ciphertext)
        if plaintext is None or kid not in self._keys:
            return None
        try:
            content = json.loads(plaintext)
            password, challenge = content["p"], content["c"]
            password.encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
        if not isinstance(password, str) or not isinstance(challenge, str):
            return None
        return Credential(password, challenge)
