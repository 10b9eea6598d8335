from collections.abc import Set as AbstractSet
from uuid import UUID

from src.core.exceptions import PermissionDeniedError, UnauthorizedError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.permission import ALL_CODES, PermissionCRUD, Verdict
from src.crud.user import UserCRUD
from src.services.actor import Actor


class PermissionService:
    """Decides what users may do: by the cache in Redis, and by SQL where the cache has no answer."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.cache = PermissionCRUD(resources.redis)

    async def require(self, user_id: UUID, session_id: str, code: str) -> None:
        """Check that the session is alive and the user holds the code: one Redis round trip if the cache is warm.

        Raises:
            UnauthorizedError: The session has ended.
            PermissionDeniedError: The user does not hold the code.
        """
        result = await self.cache.check(user_id, session_id, code)
        verdict = result.verdict
        if verdict is None:
            codes = await self._fill_cache(user_id, result.version)
            verdict = Verdict.GRANTED if code in codes or ALL_CODES in codes else Verdict.DENIED
        if verdict is Verdict.ENDED:
            raise UnauthorizedError
        if verdict is Verdict.DENIED:
            raise PermissionDeniedError

    async def _fill_cache(self, user_id: UUID, version: str) -> AbstractSet[str]:
        """The user's codes by SQL, cached under the version; concurrent requests share one query."""

        async def fill() -> AbstractSet[str]:
            codes = (await self.get_actor(user_id)).codes
            await self.cache.store(user_id, version, codes, self.resources.settings.auth.permission_cache_seconds)
            return codes

        return await self.resources.single_flight.do(("permissions", user_id, version), fill)

    def invalidate_user(self, uow: UnitOfWork, user_id: UUID) -> None:
        """Invalidate the user's cached permissions when the transaction commits."""
        self._invalidate_on_commit(uow, user_id)

    def invalidate_all(self, uow: UnitOfWork) -> None:
        """Invalidate everybody's cached permissions when the transaction commits."""
        self._invalidate_on_commit(uow, None)

    def _invalidate_on_commit(self, uow: UnitOfWork, user_id: UUID | None) -> None:
        marks: list[str] = []

        async def begin() -> None:
            marks.append(await self.cache.begin_invalidation(user_id))

        async def commit() -> None:
            await self.cache.commit_invalidation(marks[0], user_id)

        uow.before_commit(begin)
        uow.after_commit("invalidate permissions", commit)

    async def get_actor(self, user_id: UUID) -> Actor:
        """The user with the permissions that they hold, by SQL.

        Administrators hold `*`. Disabled users, and users who have to change their password first, hold nothing.
        """
        async with self.resources.sessions() as session:
            users = UserCRUD(session)
            user = await users.find(user_id)
            if user is None or not user.status or user.must_change_password:
                return Actor(user_id, frozenset())
            if user.is_admin:
                return Actor(user_id, frozenset({ALL_CODES}))
            roles = await users.enabled_roles(user_id)
        return Actor(
            user_id,
            codes=frozenset(code for role in roles for code in role.interface_permissions) - {ALL_CODES},
            ui_permissions=frozenset(permission for role in roles for permission in role.ui_permissions),
        )
