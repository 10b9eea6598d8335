"""Without SMTP_URL there is no e-mail, and all else is as it was."""

from itertools import product
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from src.core.effects import TaskCall
from src.main import app, rest
from tests.security.email.conftest import ACCEPT, EMAIL, FORGOT, INVITE, RESET, SEND, VERIFY
from tests.support.login import encrypted
from tests.support.people import People, Person

WITHDRAW = f"{INVITE}/{UUID(int=0)}"
METHODS = {EMAIL: ["GET"], INVITE: ["GET", "POST"], WITHDRAW: ["DELETE"]}


@pytest.mark.parametrize("path", [FORGOT, RESET, VERIFY, SEND, EMAIL, INVITE, ACCEPT, WITHDRAW])
@pytest.mark.usefixtures("uow")
async def test_the_routes_do_not_exist(path: str, admin: Person) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for method, headers in product(METHODS.get(path, ["POST"]), ({}, admin.headers)):
            response = await client.request(method, path, json={}, headers=headers)
            assert (response.status_code, response.json()["error"]) == (404, "http.not_found")


async def test_nothing_is_sent(people: People, sent: list[TaskCall], admin: Person) -> None:
    person = await people.create()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        body = await encrypted(client, "a new and long enough one")
        path = f"/api/v1/users/{person.user.id}/password"
        assert (await client.put(path, json=body, headers=admin.headers)).status_code == 200
    assert sent == []


def test_the_application_with_it_has_these_routes_more(email_app: FastAPI) -> None:
    codes = [{route.code for route in each.state.registry.routes} for each in (email_app, rest)]
    paths = FORGOT, RESET, VERIFY, SEND, INVITE, ACCEPT
    others = {f"GET:{EMAIL}", "POST:/api/v1/auth/register", f"GET:{INVITE}", f"DELETE:{INVITE}/{{invitationId}}"}
    assert codes[0] - codes[1] == {f"POST:{path}" for path in paths} | others
    assert codes[1] <= codes[0]
