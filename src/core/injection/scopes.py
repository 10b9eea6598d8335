"""When generators are closed, and that a cancelled run still closes them."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Literal

from anyio import CancelScope
from anyio.lowlevel import checkpoint_if_cancelled

Scope = Literal["function", "request"]


class Scopes:
    """The open generators of one run.

    Args:
        function: Closed when the handler has returned, before an HTTP response is sent.
        request: Closed last; for HTTP after the response was sent.
        shielded: Whether anyio may cancel the run, as middleware does. Shielding costs as much as a small event.
    """

    __slots__ = ("_shield", "_shielded", "function", "request")

    def __init__(self, function: AsyncExitStack, request: AsyncExitStack, *, shielded: bool = True) -> None:
        self.function = function
        self.request = request
        self._shielded = shielded
        self._shield: CancelScope | None = None

    async def enter(self, manager: AbstractAsyncContextManager[Any], scope: Scope) -> Any:
        """Enter a context manager that is closed with this scope."""
        return await (self.function if scope == "function" else self.request).enter_async_context(manager)

    async def enter_shielded(self, manager: AbstractAsyncContextManager[Any], scope: Scope) -> Any:
        """The same, for one whose cleanup may await even while the run is being cancelled by anyio."""
        if not self._shielded:
            return await self.enter(manager, scope)
        shield = self._shield
        if shield is None:
            # Entered before the first generator, since a generator may leave a cancel scope of its own open.
            shield = self._shield = self.request.enter_context(CancelScope())
        value = await manager.__aenter__()
        (self.function if scope == "function" else self.request).push_async_exit(partial(_close, manager, shield))
        return value


NO_SCOPES = Scopes(AsyncExitStack(), AsyncExitStack())
"""For plans without generators."""


async def _close(
    manager: AbstractAsyncContextManager[Any],
    shield: CancelScope,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
) -> bool | None:
    was_shielded = shield.shield
    shield.shield = True
    try:
        swallowed = await manager.__aexit__(kind, error, traceback)
    finally:
        shield.shield = was_shielded
    if error is None or swallowed:
        # A task group in the generator may have ended the cancellation while it was shielded.
        await checkpoint_if_cancelled()
    return swallowed
