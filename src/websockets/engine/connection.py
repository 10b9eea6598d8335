"""A client's transport (`Client`), and its connection to each namespace (`Connection`)."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Scope

from src.websockets.engine.rate_limiter import RateLimiter
from src.websockets.engine.tasks import BackgroundTasks, EventQueue
from src.websockets.errors import ErrorBody
from src.websockets.limits import Limits
from src.websockets.recovery import Offset

_KEY = "socketio.client"


class Connection:
    """A client in one namespace; builds the HTTP request that dependencies see.

    Args:
        scope: The handshake's ASGI scope.
        auth: The client's `auth` payload.
        authorization: Maps the payload to an `Authorization` header.

    Attributes:
        ordered_event: Held while an ordered event runs.
        dismissed: Set if the connection was ended while its connect handler ran: the error to report.
    """

    def __init__(self, scope: Scope, auth: Any, authorization: Callable[[Any], str | None]) -> None:
        self.auth = auth
        self.ordered_event = asyncio.Lock()
        self.dismissed: ErrorBody | None = None
        self._authorization = authorization
        self._handshake = scope
        self._scope: Scope | None = None
        self._expiry: asyncio.TimerHandle | None = None

    def renew(self, auth: Any) -> None:
        """Replace the `auth` payload, and with it the authorization of later events."""
        self.auth = auth
        self._scope = None

    def expire(self, seconds: float, end: Callable[[], Any]) -> None:
        """Call `end` after `seconds`; replaces an earlier timer."""
        self.close()
        self._expiry = asyncio.get_running_loop().call_later(max(0, seconds), end)

    def close(self) -> None:
        """Stop the timer."""
        if self._expiry is not None:
            self._expiry.cancel()

    def request(self, event: str, namespace: str, app: FastAPI | None) -> Request:
        """Build the request that HTTP dependencies see during an event.

        Its scope is the handshake's, plus `socket_event` and `socket_namespace`.
        """
        if self._scope is None:
            self._scope = self._build()
        scope = {**self._scope, "socket_event": event, "socket_namespace": namespace}
        if app is not None:
            scope["app"] = app
        return Request(scope)

    def _build(self) -> Scope:
        """Turn a websocket handshake into the GET request that it was before its upgrade."""
        scheme = self._handshake.get("scheme", "http").replace("ws", "http")
        scope = {"method": "GET", **self._handshake, "type": "http", "scheme": scheme}
        scope["headers"] = list(scope["headers"])
        scope["state"] = dict(scope.get("state", {}))  # shared by all events of the connection
        if (authorization := self._authorization(self.auth)) is not None:
            MutableHeaders(scope=scope)["Authorization"] = authorization
        return scope


class Client:
    """One transport. It is kept in the handshake's environ, and so lives as long as that.

    Attributes:
        connections: By namespace.
        polled: By namespace, how far a polling client was with fetching when its transport ended, if it was behind.
    """

    def __init__(self, limits: Limits, tasks: BackgroundTasks) -> None:
        self.connections: dict[str, Connection] = {}
        self.polled: dict[str, Offset] = {}
        self.rate_limiter = RateLimiter(limits)
        self.events = EventQueue(limits.running, tasks)

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "Client":
        """The client of a handshake."""
        client: Client = environ[_KEY]
        return client

    def attach(self, environ: dict[str, Any]) -> None:
        """Keep the client in its handshake's environ."""
        environ[_KEY] = self

    def close(self) -> None:
        """Forget events that have not started, and stop all timers."""
        self.events.clear()
        for connection in self.connections.values():
            connection.close()
