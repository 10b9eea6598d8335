from datetime import datetime
from typing import ClassVar

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, delete, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.idempotency_key import IdempotencyKey


class IdempotencyKeyCRUD(BaseSQLModelCRUD[IdempotencyKey]):
    """Keys of operations that must take effect once."""

    model: ClassVar[type[IdempotencyKey]] = IdempotencyKey

    async def acquire(self, key: str) -> bool:
        """Insert the key; returns False if it exists, in which case the operation must not run again.

        While another transaction has inserted the key and not ended, this one waits for its outcome.
        """
        values = IdempotencyKey(key=key).model_dump()
        statement = (
            insert(IdempotencyKey)
            .values(values)
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(col(IdempotencyKey.id))
        )
        return (await self.session.exec(statement)).first() is not None

    async def prune(self, before: datetime, limit: int) -> int:
        """Delete keys from before a time, of the `limit` oldest at most; returns how many."""
        oldest = select(IdempotencyKey.id, IdempotencyKey.create_time).order_by(col(IdempotencyKey.id)).limit(limit)
        rows = oldest.subquery()
        old = select(rows.c.id).where(rows.c.create_time < before)
        return int((await self.session.exec(delete(IdempotencyKey).where(col(IdempotencyKey.id).in_(old)))).rowcount)
