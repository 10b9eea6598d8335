"""A group of events that a server includes, as `APIRouter` is for routes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from fastapi import params

from src.websockets.registry import SocketEvent, compile_event

F = TypeVar("F", bound=Callable[..., Any])


class SocketRouter:
    """Events of one namespace that share dependencies.

    Args:
        namespace: Where the events are heard.
        dependencies: Run before each handler's own; their values are dropped.
        ordered: Whether one client's events run one after the other, as they were sent.
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
        """Register a handler for an event; `ordered` and `emits` are those of `AsyncServer.on`.

        Raises:
            UnresolvableParameterError: A parameter can be supplied by nobody.
        """

        def register(handler: F) -> F:
            needed = (*self.dependencies, *dependencies)
            in_order = self.ordered if ordered is None else ordered
            self.events.append(compile_event(event, self.namespace, handler, needed, ordered=in_order, emits=emits))
            return handler

        return register

    def event(self, handler: F) -> F:
        """Register a handler for the event of its own name."""
        return self.on(handler.__name__)(handler)
