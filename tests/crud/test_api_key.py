"""That a key was used is written without waiting for anybody, and if that is impossible, not at all."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlmodel import select
from structlog.testing import capture_logs

from src.core.exceptions import PermissionDeniedError
from src.core.resources import Resources
from src.core.security.api_key import hash_key, new_key, session_of
from src.core.unit_of_work import UnitOfWork
from src.crud.api_key import ApiKeyCRUD
from src.models.api_key import ApiKey
from src.models.user import User
from src.services.permission import PermissionService
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


class TestTouchingLastUsed:
    async def test_skips_a_row_that_is_being_changed(self, resources: Resources, key: ApiKey) -> None:
        async with resources.unit_of_work() as changing, resources.unit_of_work() as using:
            await changing.session.exec(select(ApiKey).where(ApiKey.id == key.id).with_for_update())
            await ApiKeyCRUD(using.session).touch_last_used(key.id, utc_now())
            assert await last_used(using, key) is None

    async def test_happens_once_a_minute(self, resources: Resources, key: ApiKey) -> None:
        now = utc_now()
        async with resources.unit_of_work() as uow:
            seen = []
            for seconds in (0, 59, 61):
                await ApiKeyCRUD(uow.session).touch_last_used(key.id, now + timedelta(seconds=seconds))
                seen.append(await last_used(uow, key))
        assert seen == [now, now, now + timedelta(seconds=61)]

    async def test_refuses_no_request_if_the_server_is_read_only(
        self, resources: Resources, key: ApiKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        touch = ApiKeyCRUD.touch_last_used

        async def touch_on_standby(crud: ApiKeyCRUD, key_id: UUID, now: datetime) -> None:
            await (await crud.session.connection()).exec_driver_sql("SET TRANSACTION READ ONLY")
            await touch(crud, key_id, now)

        monkeypatch.setattr(ApiKeyCRUD, "touch_last_used", touch_on_standby)
        permissions = PermissionService(resources)
        with capture_logs() as logs, pytest.raises(PermissionDeniedError):  # the key holds nothing, but is alive
            await permissions.require(key.user_id, session_of(key.key_hash), "GET:/api/v1/notices")
        assert "last_used_not_written" in [line["event"] for line in logs]
        async with resources.unit_of_work() as uow:
            assert await last_used(uow, key) is None
