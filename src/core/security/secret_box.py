import hashlib
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from src.core.config.identity.factors import FactorSettings

_NONCE_BYTES = 12


class SecretBox:
    """Encrypts secrets that must be read again, with `FACTOR_KEY`; also decrypts those of the previous key.

    AES-256-GCM. A secret is bound to its user: moved to the row of another one, it cannot be decrypted.
    """

    def __init__(self, settings: FactorSettings) -> None:
        keys = (settings.key, settings.previous_key)
        self._ciphers = [AESGCM(_derived(key.get_secret_value())) for key in keys if key is not None]

    def encrypt(self, secret: bytes, user_id: UUID) -> bytes:
        """The encrypted secret of a user."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret, user_id.bytes)

    def decrypt(self, encrypted: bytes, user_id: UUID) -> bytes | None:
        """The secret of a user; None if it was encrypted with another key, for another user, or was changed."""
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], user_id.bytes)
            except (InvalidTag, ValueError):  # changed, or too short
                continue
        return None


def _derived(key: str) -> bytes:
    """A key of the right length; the setting is random, so that one hash is enough."""
    return hashlib.sha256(b"secrets of second factors:" + key.encode()).digest()
