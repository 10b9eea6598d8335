from uuid import uuid4

import pytest

from src.core.resources import Resources
from src.crud.permission import PermissionCRUD, Verdict
from src.crud.session import session_key

CODE = "GET:/api/v1/notices"


@pytest.fixture
def cache(resources: Resources) -> PermissionCRUD:
    return PermissionCRUD(resources.redis)


class User:
    """A user with a session."""

    def __init__(self) -> None:
        self.id = uuid4()


@pytest.fixture
async def user(resources: Resources) -> User:
    user = User()
    await resources.redis.hset(session_key(user.id, "session"), "jti", "x")
    await resources.redis.expire(session_key(user.id, "session"), 60)
    return user


async def check(cache: PermissionCRUD, user: User, code: str = CODE) -> Verdict | None:
    return (await cache.check(user.id, "session", code)).verdict


async def version(cache: PermissionCRUD, user: User) -> str:
    return (await cache.check(user.id, "session", CODE)).version


async def fill(cache: PermissionCRUD, user: User, *codes: str) -> None:
    await cache.store(user.id, await version(cache, user), codes, 60)


class TestCheck:
    async def test_without_a_session_it_is_ended(self, cache: PermissionCRUD, user: User) -> None:
        assert (await cache.check(user.id, "another", CODE)).verdict is Verdict.ENDED

    async def test_an_empty_cache_returns_a_version(self, cache: PermissionCRUD, user: User) -> None:
        result = await cache.check(user.id, "session", CODE)
        assert (result.verdict, result.version[:1]) == (None, "@")

    async def test_two_checks_return_the_same_version(self, cache: PermissionCRUD, user: User) -> None:
        assert await version(cache, user) == await version(cache, user)

    async def test_a_held_code_is_granted(self, cache: PermissionCRUD, user: User) -> None:
        await fill(cache, user, CODE)
        assert await check(cache, user) is Verdict.GRANTED

    async def test_another_code_is_denied(self, cache: PermissionCRUD, user: User) -> None:
        await fill(cache, user, CODE)
        assert await check(cache, user, "POST:/api/v1/notices") is Verdict.DENIED

    async def test_an_empty_set_of_codes_is_cached_too(self, cache: PermissionCRUD, user: User) -> None:
        await fill(cache, user)
        assert await check(cache, user) is Verdict.DENIED

    async def test_the_star_grants_everything(self, cache: PermissionCRUD, user: User) -> None:
        await fill(cache, user, "*")
        assert await check(cache, user, "DELETE:/api/v1/anything") is Verdict.GRANTED


class TestInvalidation:
    @pytest.mark.parametrize("everybody", [False, True])
    async def test_it_invalidates_the_cached_codes(self, cache: PermissionCRUD, user: User, *, everybody: bool) -> None:
        await fill(cache, user, CODE)
        mark = await cache.begin_invalidation(None if everybody else user.id)
        await cache.commit_invalidation(mark, None if everybody else user.id)
        assert await check(cache, user) is None

    @pytest.mark.parametrize("everybody", [False, True])
    async def test_nothing_is_cached_before_it_is_committed(
        self, cache: PermissionCRUD, user: User, *, everybody: bool
    ) -> None:
        mark = await cache.begin_invalidation(None if everybody else user.id)
        await fill(cache, user, CODE)
        stored = await check(cache, user)
        await cache.commit_invalidation(mark, None if everybody else user.id)
        assert stored is None

    async def test_codes_of_an_old_version_are_not_cached(self, cache: PermissionCRUD, user: User) -> None:
        stamp = await version(cache, user)
        await cache.commit_invalidation(await cache.begin_invalidation(user.id), user.id)
        assert not await cache.store(user.id, stamp, [CODE], 60)

    async def test_committing_one_does_not_commit_another(self, cache: PermissionCRUD, user: User) -> None:
        first = await cache.begin_invalidation(user.id)
        await cache.begin_invalidation(user.id)
        await cache.commit_invalidation(first, user.id)
        await fill(cache, user, CODE)
        assert await check(cache, user) is None

    async def test_a_lost_version_invalidates_the_codes(
        self, cache: PermissionCRUD, user: User, resources: Resources
    ) -> None:
        await fill(cache, user, CODE)
        await resources.redis.delete(f"auth:epoch:{{{user.id}}}")
        assert await check(cache, user) is None
