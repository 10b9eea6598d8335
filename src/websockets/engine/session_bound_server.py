"""For how long a client may stay: until its authorization ends, or somebody takes it away."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from src.websockets.dispatch import Dispatch
from src.websockets.engine.rate_limited_server import RateLimitedServer
from src.websockets.errors import DENIED, ended
from src.websockets.registry import compile_event

F = TypeVar("F", bound=Callable[..., Any])

_RECHECK_SECONDS = 1


class SessionBoundServer(RateLimitedServer):
    """A server whose connections end with what allowed them.

    Args:
        options: Those of `RateLimitedServer`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._rechecks: dict[str, Dispatch] = {}

    def recheck(self, function: F, namespace: str = "/") -> F:
        """Ask an injected function whether a client may stay as it is; it raises as handlers do, code 1008 for no.

        It is asked about a client that comes back, once that is in its rooms again, and about every client when this
        process has not heard the others for a while.
        """
        self._rechecks[namespace] = Dispatch(self, compile_event("recheck", namespace, function))
        return function

    async def may_stay(self, sid: str, namespace: str) -> bool:
        """Whether a client may stay as it is; not, if that cannot be told."""
        check = self._rechecks.get(namespace)
        return check is None or await check.complaint(sid) is None

    async def recheck_clients(self) -> None:
        """End the connections of this process that may not stay; asks again about those of whom nobody could tell."""
        asked = [(name, sid) for name in self._rechecks for sid, _ in self.manager.get_participants(name, None)]
        while asked:
            codes = [(await self._rechecks[name].complaint(sid), name, sid) for name, sid in asked]
            for code, name, sid in codes:
                if code == DENIED:
                    await self.dismiss(sid, ended(), name)
            asked = [(name, sid) for code, name, sid in codes if code not in (None, DENIED)]
            if asked:
                await asyncio.sleep(_RECHECK_SECONDS)

    async def disconnect_room(
        self, room: str | Sequence[str], *, spare: str | None = None, namespace: str = "/"
    ) -> None:
        """End the connections of everyone in a room (or rooms), in every process, but for those in `spare` as well.

        They get an `error` event of code 1008 before.
        """
        await self.manager.disconnect_room(room, spare, namespace, ended())

    def expire(self, sid: str, seconds: float, namespace: str = "/") -> None:
        """End a connection of this process after some time, with an `error` event; replaces what was said before."""
        environ = self.get_environ(sid, namespace)
        if environ is not None:
            self.connection(environ, namespace).expire(
                seconds, lambda: self._background(self.dismiss(sid, ended(), namespace))
            )

    def renew(self, sid: str, auth: Any, namespace: str = "/") -> None:
        """Replace the `auth` payload of a connection of this process: later events run by the new authorization."""
        environ = self.get_environ(sid, namespace)
        if environ is not None:
            self.connection(environ, namespace).renew(auth)
