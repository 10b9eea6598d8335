"""One web server for all socket tests, and clients that collect the events that they receive."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import pytest
import socketio
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.config import settings
from src.core.resources import Resources
from src.main import app as product
from src.main import rest
from src.main import server as product_server
from src.websockets.app import create_server
from src.websockets.limits import Limits
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.support.documented import DocumentedSocketClient
from tests.support.people import Person
from tests.support.waiting import PATIENCE_SECONDS, eventually

WEBSOCKET: dict[str, Any] = {"transports": ["websocket"], "wait_timeout": PATIENCE_SECONDS}


@dataclass
class Host:
    """A running web server whose application each test chooses."""

    url: str = ""
    app: ASGIApp = field(default_factory=FastAPI)
    failures: list[Exception] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            self.failures.append(error)
            raise


class Peer:
    """A real client; `received` contains (namespace, event, first argument) in order."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.client = socketio.AsyncClient(reconnection=False, http_session=http, handle_sigint=False)
        self.received: asyncio.Queue[tuple[str, str, Any]] = asyncio.Queue()
        self.client.on("*", self._receive, namespace="*")
        self.client.on("connect_error", self._refused, namespace="*")

    async def _receive(self, event: str, namespace: str, *args: Any) -> None:
        await self.received.put((namespace, event, args[0] if args else None))

    async def _refused(self, namespace: str, body: Any) -> None:
        await self.received.put((namespace, "connect_error", body))

    async def call(self, event: str, data: Any = None, namespace: str = "/") -> Any:
        """Send an event and return its ack."""
        return await self.client.call(event, data, namespace=namespace, timeout=PATIENCE_SECONDS)

    async def next(self) -> tuple[str, str, Any]:
        """The next event from the server."""
        return await asyncio.wait_for(self.received.get(), PATIENCE_SECONDS)


@asynccontextmanager
async def serve(app: ASGIApp, *, lifespan: Literal["on", "off"]) -> AsyncIterator[str]:
    """Run a web server on a free port; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan=lifespan))
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started or serving.done())
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


Connect = Callable[..., Awaitable[Peer]]
Visit = Callable[[Person], Awaitable[SocketClient]]
Join = Callable[..., Awaitable[Peer]]


@pytest.fixture(scope="session")
async def host() -> AsyncIterator[Host]:
    host = Host()
    async with serve(host, lifespan="off") as host.url:
        yield host


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


@pytest.fixture
def limits() -> Limits:
    """The limits of `sio`; a test may have its own."""
    return Limits()


@pytest.fixture
async def sio(host: Host, app: FastAPI, limits: Limits) -> AsyncServer:
    """A server without handlers, that wraps an empty application."""
    server = AsyncServer(limits=limits, cors_allowed_origins=["http://good.example"])
    host.app = server.asgi(app)
    return server


@pytest.fixture
async def connect(host: Host, sio: AsyncServer) -> AsyncIterator[Connect]:
    """Connect clients, by default with a websocket; they disconnect after the test."""
    peers: list[Peer] = []
    async with aiohttp.ClientSession() as http:

        async def join(**options: Any) -> Peer:
            peer = Peer(http)
            peers.append(peer)
            await peer.client.connect(
                host.url, **{"transports": ["websocket"], "wait_timeout": PATIENCE_SECONDS, **options}
            )
            return peer

        yield join
        await sio.shutdown()
        for peer in peers:
            await peer.client.disconnect()


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    """Connect a person to the product with the in-memory client."""
    async with AsyncExitStack() as stack:

        async def connect(person: Person) -> SocketClient:
            client = DocumentedSocketClient(product, auth={"token": person.tokens.access_token})
            await stack.enter_async_context(client)
            await eventually(lambda: product_server.manager.is_listening)
            return client

        yield connect


@pytest.fixture
async def join(resources: Resources) -> AsyncIterator[Join]:
    """Connect people to a second server of the product, which shares only Redis with the first."""
    elsewhere = create_server(settings)
    peers: list[Peer] = []
    async with aiohttp.ClientSession() as http, serve(elsewhere.asgi(rest), lifespan="off") as url:

        async def connect(person: Person, **options: Any) -> Peer:
            peer = Peer(http)
            peers.append(peer)
            usual = {
                "auth": {"token": person.tokens.access_token},
                "transports": ["websocket"],
                "wait_timeout": PATIENCE_SECONDS,
            }
            await peer.client.connect(url, **usual | options)
            await eventually(lambda: elsewhere.manager.is_listening)
            return peer

        yield connect
        await elsewhere.shutdown()
        for peer in peers:
            await peer.client.disconnect()
