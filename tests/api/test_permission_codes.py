from collections import Counter
from typing import Any

import httpx
import pytest

from src.api import access
from src.core.config import settings
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.permission_code import PermissionCodeCRUD
from src.main import register_routes, rest
from src.models.permission_code import PermissionCode
from tests.support.people import Person

PATH = "/api/v1/router/backend"
NO_ROUTES = ["SOCKET"], ["PERMISSION"]


@pytest.fixture
async def rows(client: httpx.AsyncClient, admin: Person) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = (await client.get(PATH, headers=admin.headers)).json()["data"]
    return data


class TestBackendRoutes:
    async def test_each_code_is_listed_once(self, rows: list[dict[str, Any]]) -> None:
        assert max(Counter(row["code"] for row in rows).values()) == 1

    async def test_a_row_has_one_method_and_its_full_path(self, rows: list[dict[str, Any]]) -> None:
        rest_rows = [row for row in rows if row["methods"] not in NO_ROUTES]
        assert all(row["code"] == f"{row['methods'][0]}:{row['path']}" for row in rest_rows)

    async def test_every_operation_that_needs_a_permission_is_listed(self, rows: list[dict[str, Any]]) -> None:
        operations = {
            f"{method.upper()}:{path}"
            for path, item in rest.openapi()["paths"].items()
            for method in item
            if path.startswith("/api")
        }
        grantable = operations - access.public_routes(settings) - access.session_routes(settings)
        assert grantable == {row["code"] for row in rows if row["methods"] not in NO_ROUTES}

    async def test_events_for_any_login_are_not(self, rows: list[dict[str, Any]]) -> None:
        assert "SOCKET:auth.refresh" not in {row["code"] for row in rows}

    async def test_socket_events_are_listed(self, rows: list[dict[str, Any]]) -> None:
        assert {"SOCKET:chat.send", "SOCKET:notice.get"} <= {row["code"] for row in rows}

    async def test_every_row_is_described(self, rows: list[dict[str, Any]]) -> None:
        assert [row["code"] for row in rows if not row["description"]] == []


class TestRegistration:
    async def ids(self, uow: UnitOfWork) -> dict[str, Any]:
        return {route.code: (route.id, route.update_time) for route in await PermissionCodeCRUD(uow.session).list()}

    async def test_doing_it_again_changes_nothing(self, uow: UnitOfWork, resources: Resources) -> None:
        before = await self.ids(uow)
        await register_routes(resources, rest.state.registry)
        uow.session.expire_all()
        assert await self.ids(uow) == before

    async def test_a_removed_route_is_deleted(self, uow: UnitOfWork, resources: Resources) -> None:
        uow.session.add(PermissionCode(code="GET:/gone", name="gone", path="/gone", methods=["GET"]))
        await uow.session.commit()
        await register_routes(resources, rest.state.registry)
        assert "GET:/gone" not in await self.ids(uow)

    async def test_a_changed_description_is_stored(self, uow: UnitOfWork, resources: Resources) -> None:
        route = (await PermissionCodeCRUD(uow.session).list())[0]
        right, route.description = route.description, "outdated"
        await uow.session.commit()
        await register_routes(resources, rest.state.registry)
        await uow.session.refresh(route)
        assert route.description == right
