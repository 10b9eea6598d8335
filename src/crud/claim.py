from typing import ClassVar

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.claim import Claim


class ClaimCRUD(BaseSQLModelCRUD[Claim]):
    """What has been done once and must not be done again."""

    model: ClassVar[type[Claim]] = Claim

    async def claim(self, key: str) -> bool:
        """Whether this transaction is the first to claim the key.

        While another transaction that claimed it has not ended, this one waits for the outcome.
        """
        values = Claim(key=key).model_dump()
        statement = insert(Claim).values(values).on_conflict_do_nothing(index_elements=["key"]).returning(col(Claim.id))
        return (await self.session.exec(statement)).first() is not None
