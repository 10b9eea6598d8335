"""A Socket.IO connection that outlives its tokens."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, Self

import httpx
import socketio

from .session import UNAUTHORIZED, ApiError, Session, Tokens

EARLY_SECONDS = 60
LONGEST_PAUSE_SECONDS = 30


class EventError(Exception):
    """An event was refused; `code` is from the table of errors, `errors` lists invalid fields."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body["message"])
        self.code: int = body["code"]
        self.errors: list[dict[str, Any]] = body.get("errors") or []


class Socket:
    """A context manager; connected inside, and again after each interruption until the session ends.

    Add handlers before; a handler of `connect` loads what was missed in between.
    """

    def __init__(self, session: Session) -> None:
        self.client = socketio.AsyncClient(reconnection=False, handle_sigint=False)
        self._session = session
        self._connected = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._emitting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._session.listeners.add(self._tell)
        self._tasks = [asyncio.create_task(self._stay_connected()), asyncio.create_task(self._refresh_early())]
        connected = asyncio.create_task(self._connected.wait())
        try:
            await asyncio.wait([self._tasks[0], connected], return_when=asyncio.FIRST_COMPLETED)
            if not connected.done():
                await self._tasks[0]  # raises why it ended
        except BaseException:
            await self.__aexit__()
            raise
        finally:
            connected.cancel()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._session.listeners.discard(self._tell)
        pending = set(self._tasks)
        while pending:
            for task in pending:  # again after a second: `wait_for` of Python 3.11 may swallow it
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=1)
        await self.client.disconnect()

    def on(self, event: str, handler: Callable[..., Awaitable[None]]) -> None:
        """Call a handler with the payload of each such event."""
        self.client.on(event, handler)

    async def call(self, event: str, data: object = None) -> Any:
        """Send an event; returns its ack.

        Raises:
            EventError: The server refused it.
        """
        reply = await self.client.call(event, data)
        if isinstance(reply, dict) and {"code", "event", "message"} <= reply.keys():
            raise EventError(reply)
        return reply

    async def _stay_connected(self) -> None:
        """Connect again and again; ends with the session's error, once it has ended."""
        pause = 1.0
        while True:
            try:
                if self._session.seconds_left == 0:
                    await self._session.refresh()
                tokens = self._session.tokens or await self._session.refresh()
                auth = {"token": tokens["accessToken"]}
                await self.client.connect(self._session.url, auth=auth, transports=["websocket"])
                self._connected.set()
                pause = 1.0
                await asyncio.shield(self.client.wait())
            except ApiError as error:
                if error.status == UNAUTHORIZED:
                    raise
            except (socketio.exceptions.ConnectionError, httpx.HTTPError):
                pass
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - not secret
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _refresh_early(self) -> None:
        while True:
            tokens = self._session.tokens
            early = min(EARLY_SECONDS, tokens["expiresIn"] / 4) if tokens else 0
            await asyncio.sleep(max(self._session.seconds_left - early, 1))
            if 0 < self._session.seconds_left <= early:
                with contextlib.suppress(ApiError, httpx.HTTPError):  # the server ends the connection when it expires
                    await self._session.refresh()

    def _tell(self, tokens: Tokens | None) -> None:
        """Tell the server of a new access token; without one, it disconnects by itself."""
        if tokens is not None and self.client.connected:
            task = asyncio.create_task(self.client.emit("auth.refresh", {"token": tokens["accessToken"]}))
            self._emitting.add(task)
            task.add_done_callback(self._emitting.discard)
