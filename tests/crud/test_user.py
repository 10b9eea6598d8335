import pytest
from sqlalchemy import text

from src.core.exceptions import ConflictError
from src.core.unit_of_work import UnitOfWork
from src.crud.user import UserCRUD
from tests.support.people import People


async def test_a_change_of_a_user_who_was_deleted_meanwhile_is_no_taken_name(uow: UnitOfWork, people: People) -> None:
    user = await people.user()
    await (await uow.session.connection()).execute(text("DELETE FROM users WHERE id = :id"), {"id": user.id})
    with pytest.raises(ConflictError) as caught:
        await UserCRUD(uow.session).update(user, {"name": "new"})
    assert caught.value.error == "resource.changed"
