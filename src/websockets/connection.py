"""One client in one namespace, as its handshake introduced it."""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import Scope


class Connection:
    """The handshake, in the terms of an HTTP request.

    Args:
        scope: The handshake's ASGI scope.
        auth: The client's `auth` payload.
        authorization: Says which `Authorization` header the payload stands for.

    Attributes:
        turn: Held by the one ordered event that runs.
        dismissed: Why the connection was ended while it was being made.
    """

    def __init__(self, scope: Scope, auth: Any, authorization: Callable[[Any], str | None]) -> None:
        self.auth = auth
        self._authorization = authorization
        self._handshake = scope
        self._scope: Scope | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self.turn = asyncio.Lock()
        self.dismissed: Any = None

    def renew(self, auth: Any) -> None:
        """Replace the `auth` payload, and with it the authorization of later events."""
        self.auth = auth
        self._scope = None

    def expire(self, seconds: float, end: Callable[[], None]) -> None:
        """Call `end` after some time; replaces what was said before."""
        self.close()
        self._expiry = asyncio.get_running_loop().call_later(max(0, seconds), end)

    def close(self) -> None:
        """Stop the timer."""
        if self._expiry is not None:
            self._expiry.cancel()

    def request(self, event: str, namespace: str, app: FastAPI | None) -> Request:
        """Build the request that HTTP dependencies see during an event.

        Its scope holds `socket_event` and `socket_namespace` besides what the handshake had.
        """
        if self._scope is None:
            self._scope = self._build()
        scope = {**self._scope, "socket_event": event, "socket_namespace": namespace}
        if app is not None:
            scope["app"] = app
        return Request(scope)

    def _build(self) -> Scope:
        """A websocket handshake becomes the GET request that it was before its upgrade."""
        scheme = self._handshake.get("scheme", "http").replace("ws", "http")
        scope = {"method": "GET", **self._handshake, "type": "http", "scheme": scheme}
        scope["headers"] = list(scope["headers"])
        scope["state"] = dict(scope.get("state", {}))  # one for all events of the connection
        if (authorization := self._authorization(self.auth)) is not None:
            MutableHeaders(scope=scope)["Authorization"] = authorization
        return scope
