"""Without OIDC_PROVIDERS there is no such login, and all else is as it was."""

import httpx
import pytest
from fastapi import FastAPI

from src.api import access
from src.main import app, rest
from tests.security.oidc.conftest import CALLBACK, EXCHANGE, IDENTITIES, LINK, LOGOUT, OIDC, START
from tests.support.people import Person

ROUTES = [
    ("GET", OIDC),
    ("GET", START),
    ("GET", CALLBACK),
    ("POST", LINK),
    ("POST", LOGOUT),
    ("POST", EXCHANGE),
    ("GET", IDENTITIES),
    ("DELETE", f"{IDENTITIES}/019b7700-0000-7000-8000-000000000000"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.usefixtures("uow")
async def test_the_routes_do_not_exist(method: str, path: str, admin: Person) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        for headers in ({}, admin.headers):
            response = await client.request(method, path, headers=headers)
            assert (response.status_code, response.json()["error"]) == (404, "http.not_found")


def test_the_application_with_it_has_eight_routes_more(oidc_app: FastAPI) -> None:
    codes = [{route.code for route in each.state.registry.routes} for each in (oidc_app, rest)]
    emails = access.PUBLIC_WITH_EMAIL | access.SESSION_ROUTES_WITH_EMAIL
    more = {code for code in codes[0] - codes[1] - emails if "/users/invitations" not in code}
    assert more == access.PUBLIC_WITH_OIDC | access.SESSION_ROUTES_WITH_OIDC
    assert codes[1] <= codes[0]
