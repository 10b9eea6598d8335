from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from sqlmodel import col, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.linked_identity import LinkedIdentity


class LinkedIdentityCRUD(BaseSQLModelCRUD[LinkedIdentity]):
    """Identities at providers that are linked to accounts."""

    model: ClassVar[type[LinkedIdentity]] = LinkedIdentity

    async def find_subject(self, issuer: str, subject: str) -> LinkedIdentity | None:
        """The identity with this subject of this issuer."""
        found = select(LinkedIdentity).where(LinkedIdentity.issuer == issuer, LinkedIdentity.subject == subject)
        return (await self.session.exec(found)).one_or_none()

    async def of_user(self, user_id: UUID) -> Sequence[LinkedIdentity]:
        """A user's identities, oldest first."""
        held = select(LinkedIdentity).where(LinkedIdentity.user_id == user_id)
        return (await self.session.exec(held.order_by(col(LinkedIdentity.id)))).all()
