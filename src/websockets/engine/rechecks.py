import asyncio
from collections.abc import Awaitable, Callable, Iterable

from src.websockets.errors import DENIED

Check = Callable[[str], Awaitable[int | None]]
"""Takes a session id; returns the code of the error that ends the connection, or None."""

_RETRY_SECONDS = 1


class Rechecks:
    """Decides whether connected clients are still authorized, by one check for each namespace.

    Needed when a session is recovered, and when messages of other processes, such as the end of a login, may have been
    missed.
    """

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, namespace: str, check: Check) -> None:
        """Set the check of a namespace."""
        self._checks[namespace] = check

    @property
    def namespaces(self) -> Iterable[str]:
        """Those that have a check."""
        return self._checks.keys()

    async def allows(self, sid: str, namespace: str) -> bool:
        """Whether a client is authorized; False if the check fails for another reason, such as a store that is down."""
        check = self._checks.get(namespace)
        return check is None or await check(sid) is None

    async def run(self, clients: Iterable[tuple[str, str]], end: Callable[[str, str], Awaitable[None]]) -> None:
        """Check clients, given as (namespace, session id), and `end` those that are denied.

        A check that fails for another reason is repeated every second.
        """
        pending = list(clients)
        while pending:
            results = [(await self._checks[namespace](sid), namespace, sid) for namespace, sid in pending]
            for code, namespace, sid in results:
                if code == DENIED:
                    await end(namespace, sid)
            pending = [(namespace, sid) for code, namespace, sid in results if code not in (None, DENIED)]
            if pending:
                await asyncio.sleep(_RETRY_SECONDS)
