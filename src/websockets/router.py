"""Groups event handlers, as `APIRouter` does routes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import params

from src.websockets.compiled_event import SocketEvent, compile_event

F = TypeVar("F", bound=Callable[..., Any])


class SocketRouter:
    """Event handlers of one namespace that share dependencies.

    Args:
        namespace: Of all its events.
        dependencies: Run before each handler's own; their values are discarded.
        ordered: Whether each client's events run one after the other, in the order in which they were sent.
    """

    def __init__(
        self,
        *,
        namespace: str = "/",
        dependencies: Sequence[params.Depends] = (),
        ordered: bool = False,
    ) -> None:
        self.ordered = ordered
        self.namespace = namespace
        self.dependencies = tuple(dependencies)
        self.events: list[SocketEvent] = []

    def on(
        self,
        event: str,
        *,
        dependencies: Sequence[params.Depends] = (),
        ordered: bool | None = None,
        emits: Mapping[str, Any] | None = None,
    ) -> Callable[[F], F]:
        """Register a handler for an event; the arguments are those of `AsyncServer.on`.

        Raises:
            UnresolvableParameterError: A parameter cannot be injected.
        """

        def register(handler: F) -> F:
            required = (*self.dependencies, *dependencies)
            in_order = self.ordered if ordered is None else ordered
            self.events.append(compile_event(event, self.namespace, handler, required, ordered=in_order, emits=emits))
            return handler

        return register

    def event(self, handler: F) -> F:
        """Register a handler for the event that has its name."""
        return self.on(handler.__name__)(handler)
