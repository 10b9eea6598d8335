import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, TypeVar, overload

from src.utils.wire import to_wire
from src.websockets.compiled_event import SocketEvent
from src.websockets.errors import ErrorBody
from src.websockets.server import AsyncServer
from src.websockets.testing.session import Session

Payload = TypeVar("Payload")
Ack = TypeVar("Ack")

Handler = Callable[Concatenate[Payload, ...], Ack]
"""A handler whose first parameter is its payload; the others are injected."""


class EventError(Exception):
    """The server refused an event; `body` is the error that it sent."""

    def __init__(self, body: ErrorBody) -> None:
        super().__init__(f"{body['event']}: {body['code']} {body['data'] or body['message']}")
        self.body = body


class TypedNamespace:
    """Events of a session's namespace, named by their handlers: type checkers then know payloads and acks.

        chat = TypedNamespace(client, server)
        line = await chat.call(events.chat.send, ChatMessage(room="lobby", text="hello"))
        assert await chat.receive(ChatReceived) == line

    Args:
        session: Of the client that sends and receives.
        server: Where the handlers are registered.
    """

    def __init__(self, session: Session, server: AsyncServer) -> None:
        self._session = session
        self._declared = server.declared_events
        events = (event for event in server.registered_events() if event.namespace == session.namespace)
        self._events = {event.handler: event for event in events}

    @overload
    async def call(self, handler: Handler[Payload, Awaitable[Ack]], payload: Payload) -> Ack: ...

    @overload
    async def call(self, handler: Handler[Payload, Ack], payload: Payload) -> Ack: ...

    async def call(self, handler: Callable[..., Any], payload: Any) -> Any:
        """Send an event and return its ack.

        Raises:
            EventError: The server refused it.
            LookupError: The handler is not registered in this namespace.
        """
        event = self._find(handler)
        ack = await self._session.call(event.name, to_wire(payload))
        if isinstance(ack, dict) and ack.get("event") == event.name and {"code", "message"} <= ack.keys():
            raise EventError(ErrorBody(**ack))  # type: ignore[typeddict-item]  # an ack is untyped
        return ack if event.ack is None else event.ack.validate(ack)

    async def emit(self, handler: Handler[Payload, Any], payload: Payload) -> None:
        """Send an event without requesting an ack."""
        await self._session.emit(self._find(handler).name, to_wire(payload))

    async def receive(self, payload_type: type[Payload]) -> Payload:
        """Return the payload of the next event from the server.

        Raises:
            LookupError: The server has declared that event with another type.
        """
        event, data = await self._session.receive()
        declared = self._declared.find(event, self._session.namespace)
        if declared is None or declared.payload_type != payload_type:
            raise LookupError(f"Received {event!r}, which is not declared as {payload_type!r}: {data!r}")
        payload: Payload = declared.wire_type.validate(data)
        return payload

    def _find(self, handler: Callable[..., Any]) -> SocketEvent:
        event = self._events.get(handler)
        if event is None:
            raise LookupError(f"{handler!r} handles no event of {self._session.namespace!r}.")
        first = next(iter(inspect.signature(handler).parameters), None)
        if [first] != list(event.plan.signature.parameters):
            raise LookupError(f"The payload of {event.name!r} is not its first parameter: call it by its name.")
        return event
