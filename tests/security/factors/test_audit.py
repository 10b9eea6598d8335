"""The audit log has each step, by what was proved, and no codes."""

from typing import Any

import httpx
from sqlmodel import col, select

from src.core.unit_of_work import UnitOfWork
from src.models.outbox import OutboxMessage
from tests.security.factors.conftest import FACTORS, LOGIN, App, first_step, second_step
from tests.support.people import Person


async def recorded(uow: UnitOfWork, person: Person) -> list[dict[str, Any]]:
    rows = (await uow.session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id)))).all()
    return [row.payload for row in rows if row.payload.get("actor_id") == str(person.user.id)]


async def test_of_adding_using_and_removing(
    client: httpx.AsyncClient, person: Person, app: App, uow: UnitOfWork
) -> None:
    step = await first_step(client, person)
    wrong, right = app.code(9), app.next_code()
    for code in (wrong, right):
        await second_step(client, step, code=code)
    await client.delete(f"{FACTORS}/{app.id}", headers=person.headers)
    entries = await recorded(uow, person)
    assert [(entry["action"], entry["error"], entry["details"].get("factor")) for entry in entries] == [
        (f"POST:{FACTORS}/totp", None, None),
        (f"POST:{FACTORS}/{{factorId}}/confirm", None, "totp"),
        ("POST:/api/v1/auth/login", "auth.factor_required", None),
        (f"POST:{LOGIN}", "auth.invalid_factor", None),
        (f"POST:{LOGIN}", None, "totp"),
        (f"DELETE:{FACTORS}/{{factorId}}", None, "totp"),
    ]
    assert not [entry for entry in entries if any(secret in str(entry) for secret in (wrong, right, step.ticket))]
