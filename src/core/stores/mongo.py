from typing import Any

from pymongo import AsyncMongoClient

from src.core.config.stores import MongoSettings

MongoClient = AsyncMongoClient[dict[str, Any]]


def create_mongo(settings: MongoSettings) -> MongoClient:
    """A client whose calls fail within `MONGO_TIMEOUT_SECONDS` while no server answers."""
    milliseconds = int(settings.timeout_seconds * 1000)
    return AsyncMongoClient(
        settings.url,
        tz_aware=True,
        uuidRepresentation="standard",
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        timeoutMS=milliseconds,
    )
