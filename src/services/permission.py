from collections.abc import Set as AbstractSet
from uuid import UUID

from src.core.exceptions import PermissionDeniedError, UnauthorizedError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.permission import ALL_CODES, PermissionCRUD, Verdict
from src.crud.user import UserCRUD


class PermissionService:
    """Decides whether a user may do something: from the cache, and from SQL when the cache does not know."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.cache = PermissionCRUD(resources.redis, resources.redis_batch)

    async def require(self, user_id: UUID, session_id: str, code: str) -> None:
        """Let the caller pass, in one round trip to Redis when the cache is warm.

        Raises:
            UnauthorizedError: The session has ended.
            PermissionDeniedError: The user does not hold the code.
        """
        verdict = await self.cache.check(user_id, session_id, code)
        if isinstance(verdict, str):
            codes = await self._refill(user_id, verdict)
            verdict = Verdict.GRANTED if code in codes or ALL_CODES in codes else Verdict.DENIED
        if verdict is Verdict.ENDED:
            raise UnauthorizedError
        if verdict is Verdict.DENIED:
            raise PermissionDeniedError

    async def _refill(self, user_id: UUID, stamp: str) -> AbstractSet[str]:
        return await self.resources.single_flight.do(
            ("permissions", user_id, stamp), lambda: self._fill(user_id, stamp)
        )

    async def _fill(self, user_id: UUID, stamp: str) -> AbstractSet[str]:
        codes = await self.codes_of(user_id)
        await self.cache.fill(user_id, stamp, codes, self.resources.settings.auth.permission_cache_seconds)
        return codes

    def invalidate_user(self, uow: UnitOfWork, user_id: UUID) -> None:
        """The transaction changes what this user may do: invalidate the cache with its commit."""
        self._outdate(uow, user_id)

    def invalidate_all(self, uow: UnitOfWork) -> None:
        """The transaction changes what a role gives: invalidate everybody's cache with its commit."""
        self._outdate(uow, None)

    def _outdate(self, uow: UnitOfWork, user_id: UUID | None) -> None:
        marks: list[str] = []

        async def begin_invalidation() -> None:
            marks.append(await self.cache.begin_invalidation(user_id))

        async def commit_invalidation() -> None:
            await self.cache.commit_invalidation(marks[0], user_id)

        uow.before_commit(begin_invalidation)
        uow.after_commit("commit_invalidation permissions", commit_invalidation)

    async def codes_of(self, user_id: UUID) -> AbstractSet[str]:
        """The codes that the user holds now, by SQL.

        Administrators hold `*`. Disabled users hold nothing, and so do those who have to change their password first.
        """
        async with self.resources.sessions() as session:
            users = UserCRUD(session)
            user = await users.find(user_id)
            if user is None or not user.status or user.must_change_password:
                return frozenset()
            if user.is_admin:
                return frozenset({ALL_CODES})
            roles = await users.enabled_roles(user_id)
        return frozenset(code for role in roles for code in role.interface_permissions)
