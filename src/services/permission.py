from collections.abc import Collection
from collections.abc import Set as AbstractSet
from uuid import UUID

from prometheus_client import Histogram
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.exceptions import PermissionDeniedError, UnauthorizedError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.permission import ALL_CODES, PermissionCRUD, Verdict
from src.crud.user import UserCRUD
from src.services.actor import Actor

FILL_SECONDS = Histogram(
    "permission_fill_seconds",
    "Loading a user's permissions into the cache, by SQL.",
    buckets=(0.005, 0.025, 0.1, 0.5, 2.5),
)


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
        verdict = await self._decide(user_id, session_id, code)
        if verdict is Verdict.ENDED:
            raise UnauthorizedError
        if verdict is Verdict.DENIED:
            raise PermissionDeniedError

    async def holds(self, user_id: UUID, session_id: str, code: str) -> bool:
        """Whether the session is alive and the user holds the code."""
        return await self._decide(user_id, session_id, code) is Verdict.GRANTED

    async def _decide(self, user_id: UUID, session_id: str, code: str) -> Verdict:
        result = await self.cache.check(user_id, session_id, code)
        if result.verdict is not None:
            return result.verdict
        codes = await self._fill_cache(user_id, result.version)
        return Verdict.GRANTED if code in codes or ALL_CODES in codes else Verdict.DENIED

    async def _fill_cache(self, user_id: UUID, version: str) -> AbstractSet[str]:
        """The user's codes by SQL, cached under the version; concurrent requests share one query."""

        async def fill() -> AbstractSet[str]:
            with FILL_SECONDS.time():
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
        """The user with the permissions that they hold, by SQL; see `read_actors`."""
        async with self.resources.sessions() as session:
            return (await read_actors(session, [user_id]))[user_id]


async def read_actors(session: AsyncSession, user_ids: Collection[UUID]) -> dict[UUID, Actor]:
    """Users with the permissions that they hold, by SQL.

    Administrators hold `*`. Users who are deleted, disabled, or have to change their password first, hold nothing.
    """
    actors = {user_id: Actor(user_id, frozenset()) for user_id in user_ids}
    for user, roles in await UserCRUD(session).active_with_roles(user_ids):
        codes = frozenset(code for role in roles for code in role.interface_permissions) - {ALL_CODES}
        ui_permissions = frozenset(permission for role in roles for permission in role.ui_permissions)
        actors[user.id] = Actor(user.id, frozenset({ALL_CODES}) if user.is_admin else codes, ui_permissions)
    return actors
