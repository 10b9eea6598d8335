"""The tasks about accounts, as a worker runs them."""

import runpy
from datetime import timedelta

import pytest

from src.core.config import settings
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.crud.user import UserCRUD
from src.queues import beat_schedule
from src.queues.app import app
from src.utils.date import utc_now
from tests.support.people import People, Person


@pytest.fixture(autouse=True)
def tasks() -> None:
    app.autodiscover_tasks(["src.queues.tasks"], force=True)  # also of features that are off here


async def test_an_account_is_exported(uow: UnitOfWork, resources: Resources, people: People) -> None:
    user = await people.user()
    await app.tasks["accounts.export"](user_id=str(user.id))
    (file,) = await FileCRUD(uow.session).list({"owner_id": user.id})
    assert await resources.storage.find(file.key) is not None


async def test_accounts_that_are_due_are_deleted(uow: UnitOfWork, people: People, admin: Person) -> None:
    due, later = [await people.user(deletion_due_at=utc_now() + timedelta(days=days)) for days in (-1, 1)]
    assert await app.tasks["accounts.delete_due"]() == 1
    users = UserCRUD(uow.session)
    assert [await users.exists({"id": user.id}) for user in (due, later)] == [False, True]


async def test_the_name_of_one_is_forgotten(uow: UnitOfWork, people: People) -> None:
    user = await people.user()
    assert await app.tasks["accounts.forget_name"](user_id=str(user.id)) == 0


def test_deletions_are_scheduled_where_users_can_ask_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "auth", settings.auth.model_copy(update={"deletion_days": 14}))
    schedules = [runpy.run_path(beat_schedule.__file__)["BEAT_SCHEDULE"], beat_schedule.BEAT_SCHEDULE]
    assert ["accounts.delete_due" in each for each in schedules] == [True, False]
