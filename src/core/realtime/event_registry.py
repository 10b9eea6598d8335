"""Registry of server-to-client events and their payload types; used for AsyncAPI and by strict servers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from src.utils.wire import WireType, to_wire

ANY_NAMESPACE = "*"


class UndeclaredEventError(Exception):
    """An event was emitted that is undeclared, or whose payload does not match its declaration."""


@dataclass(frozen=True, slots=True)
class EventSchema:
    """A declared event.

    Attributes:
        payload_type: A tuple type if the event has several arguments, None if it has none.
        senders: The events whose handlers emit it.
    """

    namespace: str
    event: str
    payload_type: Any
    wire_type: WireType
    senders: list[str] = field(default_factory=list)


class EventRegistry:
    """The declared events.

    Args:
        payload_types: By event, in the namespace `/`.
    """

    def __init__(self, payload_types: Mapping[str, Any] | None = None) -> None:
        self._schemas: dict[tuple[str, str], EventSchema] = {}
        self.declare(payload_types or {})

    def __iter__(self) -> Iterator[EventSchema]:
        return iter(self._schemas.values())

    def declare(self, payload_types: Mapping[str, Any], namespace: str = "/", *, sender: str | None = None) -> None:
        """Add events. Declaring one again is allowed with the same payload type.

        Raises:
            ValueError: An event is already declared with another payload type.
        """
        for event, payload_type in payload_types.items():
            key = namespace, event
            if key not in self._schemas:
                self._schemas[key] = EventSchema(namespace, event, payload_type, WireType(payload_type))
            elif (known := self._schemas[key].payload_type) != payload_type:
                raise ValueError(f"{event!r} in {namespace!r} is declared as {known!r} and {payload_type!r}.")
            if sender is not None:
                self._schemas[key].senders.append(sender)

    def convert(self, event: str, data: object, namespace: str = "/", *, strict: bool = False) -> Any:
        """Convert a payload for sending; fields that the event's type does not declare are left out.

        Raises:
            UndeclaredEventError: The payload does not match the declared type, or does not pass `check` if `strict`.
        """
        if strict:
            self.check(event, data, namespace)
        schema = self.find(event, namespace)
        if schema is None:
            return to_wire(data)
        try:
            return schema.wire_type.convert(data)
        except ValidationError as error:
            raise UndeclaredEventError(f"{event!r} is declared as {schema.payload_type!r}: {error}") from error

    def check(self, event: str, data: object, namespace: str = "/") -> None:
        """Require that the event is declared, and that its type keeps the payload as it is in JSON.

        Fields that only a subclass of a declared model has are allowed: `convert` removes them.

        Raises:
            UndeclaredEventError: The event is undeclared, or the two forms differ.
        """
        schema = self.find(event, namespace)
        if schema is None:
            raise UndeclaredEventError(
                f"{event!r} in {namespace!r} is not declared: add it to `emits` of the handler that sends it, or, if a "
                "service sends it, to `SERVICE_EVENTS`."
            )
        try:
            declared = to_wire(schema.wire_type.validate(data))
        except ValidationError as error:
            raise UndeclaredEventError(f"{event!r} is declared as {schema.payload_type!r}: {error}") from error
        if declared != (sent := to_wire(data)):
            raise UndeclaredEventError(
                f"{event!r} is declared as {schema.payload_type!r}, which gives {declared!r} and not {sent!r}."
            )

    def find(self, event: str, namespace: str = "/") -> EventSchema | None:
        """Find the declaration of an event."""
        return self._schemas.get((namespace, event)) or self._schemas.get((ANY_NAMESPACE, event))
