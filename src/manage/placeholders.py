"""Addresses of stores for commands that compose the application and contact none of them."""

import os

STORES = {
    "SQL_DATABASE_URL": "postgresql+asyncpg://nobody@localhost/nowhere",
    "REDIS_DATABASE_URL": "redis://localhost/0",
    "MONGO_DATABASE_URL": "mongodb://localhost/nowhere",
    "MINIO_ENDPOINT": "http://localhost",
}


def use_placeholders() -> None:
    """Name the stores that the environment does not name; call it before anything reads the settings."""
    for name, address in STORES.items():
        if not os.environ.get(name):
            os.environ[name] = address
