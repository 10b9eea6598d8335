from collections.abc import Collection, Sequence
from typing import ClassVar
from uuid import UUID

from sqlmodel import and_, col, exists, or_, select, update

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.role import Role
from src.models.user_factor import FactorKind, RecoveryCode, UserFactor
from src.utils.date import utc_now


class UserFactorCRUD(BaseSQLModelCRUD[UserFactor]):
    """Second factors."""

    model: ClassVar[type[UserFactor]] = UserFactor

    async def of_user(self, user_id: UUID, kind: FactorKind | None = None) -> Sequence[UserFactor]:
        """The user's factors, oldest first, all or those of one kind."""
        return await self.list({"user_id": user_id} | ({} if kind is None else {"kind": kind}))

    async def owners(self, user_ids: Collection[UUID]) -> set[UUID]:
        """Those of the users who have a factor."""
        owners = select(UserFactor.user_id).where(col(UserFactor.user_id).in_(user_ids)).distinct()
        return set((await self.session.exec(owners)).all())

    async def are_in_use(self) -> bool:
        """Whether somebody has a factor, or a role requires one."""
        has_rows = exists().where(col(UserFactor.id).is_not(None))
        is_required = exists().where(col(Role.requires_factor).is_(True))
        return bool((await self.session.exec(select(or_(has_rows, is_required)))).one())

    async def find_passkey(self, credential_id: bytes) -> UserFactor | None:
        """The passkey with this id."""
        return (await self.session.exec(select(UserFactor).where(UserFactor.credential_id == credential_id))).first()

    async def accept_step(self, factor_id: UUID, step: int, secret: bytes) -> bool:
        """Note the time step of a code, and store the secret; False if a code of this step or a later one was used.

        Of several transactions with the same code, one gets True.
        """
        last = col(UserFactor.last_step)
        unused = update(UserFactor).where(col(UserFactor.id) == factor_id, or_(last.is_(None), last < step))
        result = await self.session.exec(unused.values(last_step=step, secret=secret, last_used_at=utc_now()))
        return result.rowcount == 1

    async def accept_sign_count(self, factor_id: UUID, sign_count: int) -> bool:
        """Note the counter of an assertion; False if it is not greater than the last one, unless both are 0."""
        last = col(UserFactor.sign_count)
        greater = or_(last < sign_count, and_(last == 0, sign_count == 0))
        unused = update(UserFactor).where(col(UserFactor.id) == factor_id, greater)
        result = await self.session.exec(unused.values(sign_count=sign_count, last_used_at=utc_now()))
        return result.rowcount == 1


class RecoveryCodeCRUD(BaseSQLModelCRUD[RecoveryCode]):
    """Recovery codes."""

    model: ClassVar[type[RecoveryCode]] = RecoveryCode

    async def use(self, user_id: UUID, code_hash: str) -> bool:
        """Delete a code; of several transactions with the same code, one gets True."""
        return await self.delete_many({"user_id": user_id, "code_hash": code_hash}) == 1

    async def replace(self, user_id: UUID, hashes: Collection[str]) -> None:
        """Replace all of the user's codes."""
        await self.delete_many({"user_id": user_id})
        if hashes:
            await self.create_many([{"user_id": user_id, "code_hash": code_hash} for code_hash in hashes])
