"""That a key was used is noted without waiting for anybody."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlmodel import select

from src.core.resources import Resources
from src.core.security.api_key import hash_key, new_key
from src.core.unit_of_work import UnitOfWork
from src.crud.api_key import ApiKeyCRUD
from src.models.api_key import ApiKey
from src.models.user import User
from src.utils.date import utc_now
from tests.support.people import People


@pytest.fixture
async def key(resources: Resources) -> AsyncIterator[ApiKey]:
    """A committed key."""
    async with resources.unit_of_work() as uow:
        user = await People(uow, resources).user()
        fields = {"user_id": user.id, "name": "Key", "start": "ak_", "key_hash": hash_key(new_key()), "codes": []}
        key = await ApiKeyCRUD(uow.session).create(fields)
    yield key
    async with resources.unit_of_work() as uow:
        await uow.session.delete(await uow.session.get_one(User, user.id))


async def last_used(uow: UnitOfWork, key: ApiKey) -> object:
    return (await uow.session.exec(select(ApiKey.last_used_at).where(ApiKey.id == key.id))).one()


class TestNotingAUse:
    async def test_skips_a_row_that_is_being_changed(self, resources: Resources, key: ApiKey) -> None:
        async with resources.unit_of_work() as changing, resources.unit_of_work() as using:
            await changing.session.exec(select(ApiKey).where(ApiKey.id == key.id).with_for_update())
            await ApiKeyCRUD(using.session).note_use(key.id, utc_now())
            assert await last_used(using, key) is None

    async def test_happens_once_a_minute(self, resources: Resources, key: ApiKey) -> None:
        now = utc_now()
        async with resources.unit_of_work() as uow:
            seen = []
            for seconds in (0, 59, 61):
                await ApiKeyCRUD(uow.session).note_use(key.id, now + timedelta(seconds=seconds))
                seen.append(await last_used(uow, key))
        assert seen == [now, now, now + timedelta(seconds=61)]
