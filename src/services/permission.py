import asyncio
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Histogram
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.exceptions import PermissionDeniedError, UnauthorizedError
from src.core.resources import Resources
from src.core.security.acting import Impersonator, impersonator_of
from src.core.security.api_key import key_hash_of
from src.core.stores.errors import summary
from src.core.unit_of_work import UnitOfWork
from src.crud.api_key import ApiKeyCRUD
from src.crud.permission import ALL_CODES, CheckResult, PermissionCRUD, Verdict
from src.crud.user import UserCRUD
from src.crud.user_factor import UserFactorCRUD
from src.models.role import Role
from src.models.user import User
from src.services.actor import Actor
from src.services.login_only import ACT_AS, requires_login
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

Question = tuple[UUID, str, str]
"""A user, the id of a session, and a permission code: whether the session is alive, and the user holds the code."""

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

        All methods take the `session_id` of an API key's claims as well: then the key has to be alive, and to hold the
        code as its owner does. Likewise, in the session of somebody who acts as the user, both have to hold the code.

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

    async def require_acting(self, user_id: UUID, session_id: str, impersonator: Impersonator) -> None:
        """Check that somebody may still act as the user, in this session.

        Raises:
            UnauthorizedError: The session, or that of the impersonator, has ended, or the impersonator lacks the code.
        """
        if not _may_act(await self._decide_all(*_acting_questions(user_id, session_id, impersonator))):
            raise UnauthorizedError

    async def _decide(self, user_id: UUID, session_id: str, code: str) -> Verdict:
        impersonator = impersonator_of(session_id)
        if impersonator is None:
            return await self._settle(user_id, session_id, code, await self._check(user_id, session_id, code))
        of_impersonator, of_user, *acting = await self._decide_all(
            (impersonator.user_id, impersonator.session_id, code),
            (user_id, session_id, code),
            *_acting_questions(user_id, session_id, impersonator),
        )
        if not _may_act(acting):
            return Verdict.ENDED
        if requires_login(code) or of_impersonator is not Verdict.GRANTED:
            return Verdict.DENIED
        return of_user

    async def _decide_all(self, *questions: Question) -> list[Verdict]:
        """The answers to several questions: one round trip to Redis, then SQL where the cache has none."""
        results = await asyncio.gather(*(self._check(*question) for question in questions))
        return [await self._settle(*each, result) for each, result in zip(questions, results, strict=True)]

    async def _check(self, user_id: UUID, session_id: str, code: str) -> CheckResult:
        key_hash = key_hash_of(session_id)
        if key_hash is None:
            return await self.cache.check(user_id, session_id, code)
        return await self.cache.check_key(user_id, key_hash, code)

    async def _settle(self, user_id: UUID, session_id: str, code: str, result: CheckResult) -> Verdict:
        """The verdict of the cache, or of SQL if the cache has none."""
        if result.verdict is not None:
            return result.verdict
        codes = await self._fill_cache(user_id, key_hash_of(session_id), result.version)
        if codes is None:
            return Verdict.ENDED
        return Verdict.GRANTED if code in codes or ALL_CODES in codes else Verdict.DENIED

    async def _fill_cache(self, user_id: UUID, key_hash: str | None, version: str) -> AbstractSet[str] | None:
        """The codes of the user, or of the API key, by SQL, cached under the version; None if the key has ended.

        Concurrent requests share one query.
        """

        async def fill() -> AbstractSet[str] | None:
            with FILL_SECONDS.time():
                actor: Actor | None
                expires_at = None
                if key_hash is None:
                    actor = await self.get_actor(user_id)
                else:
                    actor, expires_at = await self._use_key(user_id, key_hash)
                codes = None if actor is None else actor.codes
                seconds = self.resources.settings.auth.permission_cache_seconds
                await self.cache.store(user_id, version, codes, seconds, key_hash=key_hash, expires_at=expires_at)
            return codes

        return await self.resources.single_flight.do(("permissions", user_id, key_hash, version), fill)

    async def _use_key(self, user_id: UUID, key_hash: str) -> tuple[Actor | None, datetime | None]:
        """The holder of an API key, None if it has ended, and when it expires; sets when it was last used.

        It runs when the codes of the key are not cached, so `last_used_at` is late by as long as they are.
        """
        now = utc_now()
        async with self.resources.sessions() as session:
            keys = ApiKeyCRUD(session)
            key = await keys.find_live(key_hash, now)
            if key is None:
                return None, None
            owner = (await read_actors(session, [user_id]))[user_id]
            key_id, result = key.id, (owner.limited_to(key.codes), key.expiry_of(key_hash))
            try:
                await keys.touch_last_used(key_id, now)
                await session.commit()
            except (SQLAlchemyError, OSError) as error:  # such as a server that can only be read after a failover
                log.warning("last_used_not_written", api_key_id=str(key_id), error=summary(error))
        return result

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

    async def get_actor(self, user_id: UUID, session_id: str = "") -> Actor:
        """The user with the permissions that they hold, by SQL; see `read_actors`.

        With the `session_id` of an API key's claims, only what the key holds as well; in the session of somebody who
        acts as the user, only what both hold.
        """
        impersonator = impersonator_of(session_id)
        key_hash = key_hash_of(session_id)
        if key_hash is not None:
            holder, _ = await self._use_key(user_id, key_hash)
            return holder or Actor(user_id, frozenset())
        async with self.resources.sessions() as session:
            if impersonator is None:
                return (await read_actors(session, [user_id], factor_required=self.factor_required))[user_id]
            people = [user_id, impersonator.user_id]
            actors = await read_actors(session, people, factor_required=self.factor_required)
            return actors[user_id].impersonated_by(actors[impersonator.user_id])

    @property
    def factor_required(self) -> bool | None:
        """Whether everybody must have a second factor; None where there are none. See `read_actors`."""
        settings = self.resources.settings
        return settings.factors.is_required if settings.has_factors else None


def _acting_questions(user_id: UUID, session_id: str, impersonator: Impersonator) -> tuple[Question, Question]:
    """Whether the impersonator holds `ACT_AS`, and whether the user is an administrator; see `_may_act`."""
    return (impersonator.user_id, impersonator.session_id, ACT_AS), (user_id, session_id, ALL_CODES)


def _may_act(answers: Sequence[Verdict]) -> bool:
    """Whether both sessions are alive, the impersonator holds `ACT_AS`, and the user is no administrator."""
    permitted, is_admin = answers
    return permitted is Verdict.GRANTED and is_admin is Verdict.DENIED


async def read_actors(
    session: AsyncSession, user_ids: Collection[UUID], *, factor_required: bool | None = None
) -> dict[UUID, Actor]:
    """Users with the permissions that they hold, by SQL.

    Administrators hold `*`. Users who are deleted, disabled, or have to change their password first, hold nothing.

    Args:
        session: The transaction to read in.
        user_ids: The users.
        factor_required: For login sessions, in which those hold nothing who must have a second factor and have none:
            everybody must, or (False) those of roles that require it. None: not asked for.
    """
    actors = {user_id: Actor(user_id, frozenset()) for user_id in user_ids}
    users = await UserCRUD(session).active_with_roles(user_ids)
    if factor_required is not None:
        must = {user.id for user, roles in users if must_have_factor(user, roles, for_all=factor_required)}
        lacking = must - await UserFactorCRUD(session).owners(must) if must else must
        users = [(user, roles) for user, roles in users if user.id not in lacking]
    for user, roles in users:
        codes = frozenset(code for role in roles for code in role.interface_permissions) - {ALL_CODES}
        ui_permissions = frozenset(permission for role in roles for permission in role.ui_permissions)
        actors[user.id] = Actor(user.id, frozenset({ALL_CODES}) if user.is_admin else codes, ui_permissions)
    return actors


def must_have_factor(user: User, roles: Iterable[Role], *, for_all: bool) -> bool:
    """Whether a user with these enabled roles must have a second factor."""
    return not user.is_service_account and (for_all or any(role.requires_factor for role in roles))
