"""The events that clients are promised, each declared once: for the document, and for a check of what is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from src.utils.wire import to_wire

EVERYWHERE = "*"
"""Stands for all namespaces."""


class UndeclaredEventError(Exception):
    """The program is about to send what clients were not promised."""


@dataclass(frozen=True, slots=True)
class EventSchema:
    """An event that clients may receive.

    Attributes:
        shape: The type of its payload; a tuple type when it has several arguments, None when it has none.
        senders: The events whose handlers say that they send it.
    """

    namespace: str
    event: str
    shape: Any
    adapter: TypeAdapter[Any]
    senders: list[str] = field(default_factory=list)


class EventRegistry:
    """What may be sent.

    Args:
        shapes: Events of the namespace `/`, with the type of their payload.
    """

    def __init__(self, shapes: Mapping[str, Any] | None = None) -> None:
        self._known: dict[tuple[str, str], EventSchema] = {}
        self.declare(shapes or {})

    def __iter__(self) -> Iterator[EventSchema]:
        return iter(self._known.values())

    def declare(self, shapes: Mapping[str, Any], namespace: str = "/", *, sender: str | None = None) -> None:
        """Add events; one that is known already has to have the same shape.

        Raises:
            ValueError: It has another one.
        """
        for event, shape in shapes.items():
            key = namespace, event
            if key not in self._known:
                self._known[key] = EventSchema(namespace, event, shape, TypeAdapter(shape))
            elif self._known[key].shape != shape:
                raise ValueError(f"{event!r} in {namespace!r} is declared as {self._known[key].shape!r} and {shape!r}.")
            if sender is not None:
                self._known[key].senders.append(sender)

    def check(self, event: str, data: object, namespace: str = "/") -> None:
        """Compare what is about to be sent with its declaration, as clients would see the two.

        Raises:
            UndeclaredEventError: Nobody declared the event, or its payload looks otherwise.
        """
        emission = self._known.get((namespace, event)) or self._known.get((EVERYWHERE, event))
        if emission is None:
            raise UndeclaredEventError(f"{event!r} in {namespace!r} is declared nowhere: name it in `emits`.")
        try:
            promised = to_wire(emission.adapter.validate_python(data))
        except ValidationError as error:
            raise UndeclaredEventError(f"{event!r} is declared as {emission.shape!r}: {error}") from error
        if promised != (sent := to_wire(data)):
            raise UndeclaredEventError(
                f"{event!r} is declared as {emission.shape!r}, which is {promised!r} and not {sent!r}."
            )
