"""Who is connected, to which process and in which rooms, for those who may know; and one of them is disconnected."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from src.core.config import settings
from src.core.realtime.client_list import list_clients
from src.core.realtime.event_bus import CHANNEL, EventBus, EventBusError
from src.main import server
from src.websockets.testing import SocketClient
from tests.security.test_administration import NOTICES
from tests.support.people import People, Person
from tests.support.waiting import eventually
from tests.websockets.conftest import Join, Visit

PATH = "/api/v1/ops/clients"
JOIN = "SOCKET:chat.join"
QUIET = "room-that-no-other-test-joins"


@pytest.fixture
async def clerk(people: People) -> Person:
    """A user who may see and disconnect clients, and join chat rooms."""
    return await people.create(f"GET:{PATH}", f"DELETE:{PATH}/{{clientId}}", JOIN)


async def listed(client: httpx.AsyncClient, person: Person, **query: Any) -> Any:
    response = await client.get(PATH, headers=person.headers, params=query)
    assert response.status_code == 200, response.text
    return response.json()["data"]


class TestList:
    async def test_has_each_connection_with_its_rooms(
        self, client: httpx.AsyncClient, clerk: Person, visit: Visit
    ) -> None:
        missing = (await listed(client, clerk))["missing"]  # servers that other tests have stopped
        first, _second = await visit(clerk), await visit(clerk)
        await first.call("chat.join", {"room": "lobby"})
        found = await listed(client, clerk, userId=str(clerk.user.id))
        rows = {row["id"]: row for row in found["records"]}
        assert (len(rows), found["total"], found["missing"]) == (2, 2, missing)
        assert rows[first.sid] == {
            "id": first.sid,
            "userId": str(clerk.user.id),
            "username": clerk.user.username,
            "sessionId": clerk.tokens.session_id,
            "rooms": ["chat:lobby"],
            "process": server.manager.process,
        }

    async def test_has_those_of_other_processes(
        self, client: httpx.AsyncClient, clerk: Person, visit: Visit, join: Join
    ) -> None:
        here, there = await visit(clerk), await join(clerk)
        found = await listed(client, clerk, userId=str(clerk.user.id))
        processes = {row["id"]: row["process"] for row in found["records"]}
        assert processes.keys() == {here.sid, there.client.get_sid()}
        assert len(set(processes.values())) == 2
        response = await client.delete(f"{PATH}/{there.client.get_sid()}", headers=clerk.headers)
        assert response.status_code == 200
        await eventually(lambda: not there.client.connected)

    @pytest.mark.parametrize(("query", "count"), [({"room": f"chat:{QUIET}"}, 1), ({"room": "chat:empty"}, 0)])
    async def test_of_one_room(
        self, client: httpx.AsyncClient, clerk: Person, visit: Visit, query: dict[str, str], count: int
    ) -> None:
        here, _elsewhere = await visit(clerk), await visit(clerk)
        await here.call("chat.join", {"room": QUIET})
        for owner in ({}, {"userId": str(clerk.user.id)}):
            found = await listed(client, clerk, **query, **owner)
            assert [row["id"] for row in found["records"]] == [here.sid] * count
            assert found["total"] == count

    async def test_is_limited_but_counts_all(self, clerk: Person, visit: Visit) -> None:
        for _ in range(3):
            await visit(clerk)
        found = await server.list_clients(f"user:{clerk.user.id}", 2)
        assert (len(found.clients), found.total) == (2, 3)

    async def test_says_how_many_processes_are_missing(
        self, client: httpx.AsyncClient, clerk: Person, bus: EventBus, visit: Visit
    ) -> None:
        missing = (await listed(client, clerk))["missing"]
        connection = await visit(clerk)
        async with bus.redis.pubsub() as silent:
            await silent.subscribe(CHANNEL)
            found = await listed(client, clerk, userId=str(clerk.user.id))
        assert ([row["id"] for row in found["records"]], found["missing"]) == ([connection.sid], missing + 1)

    async def test_is_503_if_nobody_can_be_asked(
        self, client: httpx.AsyncClient, clerk: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(_bus: EventBus, _message: object) -> None:
            raise EventBusError

        monkeypatch.setattr(EventBus, "publish", fail)
        assert (await client.get(PATH, headers=clerk.headers)).status_code == 503

    async def test_a_process_without_sockets_can_ask(self, clerk: Person, visit: Visit, bus: EventBus) -> None:
        connection = await visit(clerk)
        found = await list_clients(bus, f"user:{clerk.user.id}", 10)
        assert [(one.sid, one.process) for one in found.clients] == [(connection.sid, server.manager.process)]

    async def test_takes_its_permission(self, client: httpx.AsyncClient, people: People) -> None:
        assert (await client.get(PATH, headers=(await people.create()).headers)).status_code == 403


@pytest.fixture
async def bus() -> AsyncIterator[EventBus]:
    bus = EventBus(settings.REDIS_DATABASE_URL)
    yield bus
    await bus.redis.aclose()


class TestDisconnecting:
    async def test_ends_this_connection_alone(self, client: httpx.AsyncClient, clerk: Person, visit: Visit) -> None:
        one, other = await visit(clerk), await visit(clerk)
        response = await client.delete(f"{PATH}/{one.sid}", headers=clerk.headers)
        assert response.status_code == 200, response.text
        await one.disconnected()
        found = await listed(client, clerk, userId=str(clerk.user.id))
        assert [row["id"] for row in found["records"]] == [other.sid]
        again = await client.delete(f"{PATH}/{one.sid}", headers=clerk.headers)
        assert again.status_code == 404

    async def test_a_room_is_no_connection(self, client: httpx.AsyncClient, clerk: Person, visit: Visit) -> None:
        await visit(clerk)
        room = f"user:{clerk.user.id}"
        assert (await client.delete(f"{PATH}/{room}", headers=clerk.headers)).status_code == 404

    @pytest.mark.parametrize(
        ("codes", "is_admin", "error"),
        [((NOTICES,), False, "auth.not_yours_to_grant"), ((), True, "auth.not_yours_to_rule")],
    )
    async def test_somebody_who_may_more_is_out_of_reach(
        self,
        client: httpx.AsyncClient,
        people: People,
        clerk: Person,
        visit: Visit,
        codes: tuple[str, ...],
        is_admin: bool,
        error: str,
    ) -> None:
        connection: SocketClient = await visit(await people.create(*codes, is_admin=is_admin))
        response = await client.delete(f"{PATH}/{connection.sid}", headers=clerk.headers)
        assert (response.status_code, response.json()["error"]) == (403, error)
