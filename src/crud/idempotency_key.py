from typing import ClassVar

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.idempotency_key import IdempotencyKey


class IdempotencyKeyCRUD(BaseSQLModelCRUD[IdempotencyKey]):
    """What has been done once and must not be done again."""

    model: ClassVar[type[IdempotencyKey]] = IdempotencyKey

    async def claim(self, key: str) -> bool:
        """Whether this transaction is the first to claim the key.

        While another transaction that claimed it has not ended, this one waits for the outcome.
        """
        values = IdempotencyKey(key=key).model_dump()
        statement = (
            insert(IdempotencyKey)
            .values(values)
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(col(IdempotencyKey.id))
        )
        return (await self.session.exec(statement)).first() is not None
