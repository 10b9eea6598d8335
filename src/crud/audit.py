from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from pymongo import InsertOne
from pymongo.errors import BulkWriteError

from src.crud.crud_beanie import DUPLICATE_KEY, BaseBeanieCRUD
from src.models.audit import AuditLog

RETENTION_INDEX = "retention"


class AuditCRUD(BaseBeanieCRUD[AuditLog]):
    """The audit log."""

    model: ClassVar[type[AuditLog]] = AuditLog

    async def insert(self, entries: Sequence[dict[str, Any]]) -> None:
        """Insert entries, given by their fields; those that already exist are skipped, so retries are safe."""
        await self.documents.bind(AuditLog)
        rows = [InsertOne(AuditLog.model_validate(entry).model_dump(by_alias=True)) for entry in entries]
        try:
            await AuditLog.get_pymongo_collection().bulk_write(rows, ordered=False)
        except BulkWriteError as error:
            if any(failure["code"] != DUPLICATE_KEY for failure in error.details["writeErrors"]):
                raise

    async def forget_name(self, user_id: UUID) -> int:
        """Remove the username from the entries by and about a user; returns how many had it."""
        await self.documents.bind(AuditLog)
        theirs = {
            "$or": [{"actor_id": user_id}, {"target.userId": str(user_id)}],
            "details.username": {"$exists": True},
        }
        collection = AuditLog.get_pymongo_collection()
        return int((await collection.update_many(theirs, {"$unset": {"details.username": ""}})).modified_count)

    async def set_retention(self, age: timedelta) -> None:
        """Have MongoDB delete entries of this age, with a TTL index; one with another age is replaced. For `initdb`."""
        await self.documents.bind(AuditLog)
        collection = AuditLog.get_pymongo_collection()
        seconds = int(age.total_seconds())
        existing = (await collection.index_information()).get(RETENTION_INDEX)
        if existing is not None and existing.get("expireAfterSeconds") != seconds:
            await collection.drop_index(RETENTION_INDEX)
        await collection.create_index("time", name=RETENTION_INDEX, expireAfterSeconds=seconds)
