"""RSA-OAEP with SHA-256, compatible with the WebCrypto API of browsers."""

import base64
import binascii
import hashlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def public_pem(key: RSAPrivateKey) -> str:
    """The public key as PEM (SubjectPublicKeyInfo)."""
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def key_id(key: RSAPrivateKey) -> str:
    """A short id, derived from the key."""
    return hashlib.sha256(public_pem(key).encode()).hexdigest()[:16]


def decrypt(key: RSAPrivateKey, ciphertext: str) -> bytes | None:
    """Decrypt a base64 ciphertext; None if it is malformed or was not encrypted for this key."""
    try:
        return key.decrypt(base64.b64decode(ciphertext, validate=True), _OAEP)
    except (ValueError, binascii.Error):
        return None
