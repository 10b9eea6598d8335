import os
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

collect_ignore = [] if sys.platform == "linux" else ["test_hashing_on_linux.py"]

KEEP = {"PATH", "HOME", "LANG", "PYTEST_CURRENT_TEST"}


def pem(key: rsa.RSAPrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


@pytest.fixture(scope="session")
def rsa_pem() -> str:
    """A private key that is large enough."""
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=3072))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without any dotenv file, in an environment without any setting."""
    for name in os.environ.keys() - KEEP:
        monkeypatch.delenv(name)
    (tmp_path / ".local").mkdir()
    return tmp_path


@pytest.fixture
def deployed(root: Path, monkeypatch: pytest.MonkeyPatch, rsa_pem: str) -> Path:
    """The same, with all that a deployed process needs."""
    settings = {
        "ENVIRONMENT": "PRODUCTION",
        "ACCESS_TOKEN_KEY": "qW7-0hV3kZ_nB5xT9mL2cR8yJ4dF6sGaPuE1",
        "REFRESH_TOKEN_KEY": "Zt4_9bM1xK-vH6rC0nQ3wD7jL5fS2yGiUaO8",
        "RSA_PRIVATE_KEY": rsa_pem,
        "CORS_ORIGINS": '["https://shop.example"]',
        "SQL_DATABASE_URL": "postgresql+asyncpg://app:h7Kd-2pQ9@db.example/app",
        "REDIS_DATABASE_URL": "redis://:m3Xv-8rT1@redis.example/0",
        "MONGO_DATABASE_URL": "mongodb://app:c5Wn-4zL6@mongo.example/app",
        "MINIO_ENDPOINT": "https://s3.example",
        "MINIO_ROOT_USER": "app",
        "MINIO_ROOT_PASSWORD": "b9Jf-6sY0",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return root
