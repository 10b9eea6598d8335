"""Log in as a browser does."""

import base64
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from docs.client.python.api_client.session import encrypt as encrypt_password
from tests.support.people import PASSWORD, USER_AGENT

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def encrypt(public_key: str, plaintext: bytes, scheme: padding.AsymmetricPadding = OAEP) -> str:
    """Base64 of the ciphertext."""
    key = serialization.load_pem_public_key(public_key.encode())
    assert isinstance(key, RSAPublicKey)
    return base64.b64encode(key.encrypt(plaintext, scheme)).decode()


async def fetch_key(client: httpx.AsyncClient) -> dict[str, Any]:
    """The public key, its name and a fresh challenge."""
    data: dict[str, Any] = (await client.get("/api/v1/auth/keys/public")).json()["data"]
    return data


async def encrypted(client: httpx.AsyncClient, password: str = PASSWORD) -> dict[str, str]:
    """`password` and `kid` of a login, with a fresh challenge."""
    return await encrypt_password(client, password)


async def log_in(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> httpx.Response:
    """The response to a login."""
    body = {"username": username, **await encrypted(client, password)}
    return await client.post("/api/v1/auth/login", json=body, headers={"User-Agent": USER_AGENT})
