"""Connections need a valid login, and end with it, in every process: SECURITY row 42."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from src.core.config import settings
from src.core.exceptions import UnauthorizedError
from src.core.resources import Resources
from src.core.security.token import AccessClaims
from src.queues.emitter import RedisEmitter
from tests.support.people import People, Person
from tests.support.waiting import patience
from tests.websockets.conftest import Join, Peer


async def is_notified_and_disconnected(peer: Peer) -> bool:
    _, event, body = await peer.next()
    await asyncio.wait_for(peer.client.wait(), 5 * patience())
    return event == "error" and body["code"] == 1008


async def is_refused(peer: Peer) -> bool:
    """Whether a client that connected with `wait=False` is refused.

    With `wait=True` python-socketio's client would notice only after half a minute that the server has closed.
    """
    _, event, body = await peer.next()
    return event == "connect_error" and body["data"]["code"] == 1008 and not peer.client.namespaces


class TestRow42Connect:
    @pytest.mark.parametrize("auth", [None, {}, {"token": ""}, {"token": "made.up.token"}, {"token": 1}, "token"])
    async def test_without_a_valid_token_is_refused(self, join: Join, people: People, auth: Any) -> None:
        person = await people.create()
        assert await is_refused(await join(person, auth=auth, wait=False))

    async def test_after_a_logout_is_refused(self, client: httpx.AsyncClient, people: People, join: Join) -> None:
        person = await people.create()
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert await is_refused(await join(person, wait=False))


@pytest.mark.slow
class TestRow42Connections:
    async def test_end_with_a_logout(self, client: httpx.AsyncClient, people: People, join: Join) -> None:
        person = await people.create()
        peer = await join(person)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert await is_notified_and_disconnected(peer)

    async def test_of_other_sessions_stay(self, client: httpx.AsyncClient, people: People, join: Join) -> None:
        person = await people.create()
        other = await people.login(person.user)
        peer = await join(other)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        await asyncio.sleep(0.3)
        assert peer.client.connected

    async def test_end_with_a_logout_everywhere(self, client: httpx.AsyncClient, people: People, join: Join) -> None:
        person = await people.create()
        peer = await join(await people.login(person.user))
        await client.post("/api/v1/auth/logout/all", headers=person.headers)
        assert await is_notified_and_disconnected(peer)

    async def test_end_when_the_user_is_disabled(
        self, client: httpx.AsyncClient, people: People, admin: Person, join: Join
    ) -> None:
        person = await people.create()
        peer = await join(person)
        url = f"/api/v1/users/{person.user.id}/status"
        assert (await client.put(url, json={"status": False}, headers=admin.headers)).status_code == 200
        assert await is_notified_and_disconnected(peer)

    async def test_end_when_the_users_roles_change(
        self, client: httpx.AsyncClient, people: People, admin: Person, join: Join
    ) -> None:
        person = await people.create("SOCKET:chat.join")
        peer = await join(person)
        url = f"/api/v1/users/{person.user.id}/roles"
        assert (await client.put(url, json={"roles": []}, headers=admin.headers)).status_code == 200
        assert await is_notified_and_disconnected(peer)

    async def test_end_from_a_worker_too(self, people: People, join: Join) -> None:
        person = await people.create()
        peer = await join(person)
        events = RedisEmitter(settings.REDIS_DATABASE_URL)
        await events.disconnect(f"user:{person.user.id}")
        await events.aclose()
        assert await is_notified_and_disconnected(peer)

    async def test_end_when_the_token_expires(
        self, people: People, join: Join, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        person = await people.create()
        claims = resources.tokens.read_access(person.tokens.access_token)
        soon = AccessClaims(claims.user_id, claims.session_id, int(time.time()) + 2)
        monkeypatch.setattr(type(resources.tokens), "read_access", lambda *_: soon)
        assert await is_notified_and_disconnected(await join(person))


class TestToken:
    async def test_is_decoded_once_until_it_expires(
        self, people: People, join: Join, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read(_issuer: object, _token: str) -> AccessClaims:
            raise UnauthorizedError

        peer = await join(await people.create("SOCKET:chat.join"))
        monkeypatch.setattr(type(resources.tokens), "read_access", read)
        assert await peer.call("chat.join", {"room": "a"}) == {"room": "a"}
        later = time.time() + 3600
        monkeypatch.setattr(resources.tokens, "_clock", lambda: later)
        assert (await peer.call("chat.join", {"room": "a"}))["code"] == 1008


class TestRefresh:
    async def test_extends_a_connection(self, people: People, join: Join, resources: Resources) -> None:
        person = await people.create()
        peer = await join(person)
        claims = resources.tokens.read_access(person.tokens.access_token)
        newer = resources.tokens.access(claims.user_id, claims.session_id, int(time.time()))
        assert await peer.call("auth.refresh", {"token": newer}) is None

    async def test_refuses_a_token_of_another_session(self, people: People, join: Join) -> None:
        person = await people.create()
        other = await people.login(person.user)
        peer = await join(person)
        assert (await peer.call("auth.refresh", {"token": other.tokens.access_token}))["code"] == 1008


class TestReadiness:
    async def test_includes_the_subscription_to_events_of_other_processes(
        self, client: httpx.AsyncClient, resources: Resources
    ) -> None:
        assert resources.events.is_listening
        assert (await client.get("/readyz")).json()["stores"]["redis"] is True
