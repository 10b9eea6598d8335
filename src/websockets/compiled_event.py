"""Compiles event handlers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import params
from pydantic.errors import PydanticSchemaGenerationError

from src.core.injection import (
    EMPTY,
    EntryPoint,
    Plan,
    UnresolvableParameterError,
    ValidatedArguments,
    compile_plan,
    read_return,
)
from src.utils.wire import WireType

_SPECIALS = frozenset({"sid", "environ", "auth", "event", "namespace", "arguments", "server"})
_EVENT = EntryPoint(specials=_SPECIALS, connection=True, arguments=ValidatedArguments)
_WITHOUT_ACK = ("connect", "disconnect")
_DISCONNECT = EntryPoint(specials=_SPECIALS | {"reason"}, connection=True, arguments=ValidatedArguments)


@dataclass(frozen=True, slots=True)
class SocketEvent:
    """A registered handler.

    Attributes:
        namespace: `*` for all namespaces.
        name: The event; `*` for all events without a handler of their own.
        handler: The function as written.
        plan: The compiled handler; `plan.depends_on(call)` searches its dependency tree.
        ordered: Whether it waits for the client's earlier ordered events.
        emits: The events that it emits, with their payload types.
        ack: The declared return type; None if there is none.
    """

    namespace: str
    name: str
    handler: Callable[..., Any]
    plan: Plan
    ordered: bool = False
    emits: Mapping[str, Any] = field(default_factory=dict)
    ack: WireType | None = None


def compile_event(
    name: str,
    namespace: str,
    handler: Callable[..., Any],
    dependencies: Sequence[params.Depends] = (),
    *,
    ordered: bool = False,
    emits: Mapping[str, Any] | None = None,
) -> SocketEvent:
    """Compile a handler for an event.

    Raises:
        UnresolvableParameterError: A parameter cannot be injected.
        TypeError: The return type has no schema.
    """
    plan = compile_plan(handler, _DISCONNECT if name == "disconnect" else _EVENT, dependencies=dependencies)
    unmarked = list(plan.signature.parameters)
    if name == "disconnect" and unmarked:
        raise UnresolvableParameterError(handler, unmarked[0], "disconnect has no payload; mark it (SID, Reason, ...)")
    if name == "connect" and len(unmarked) > 1:
        raise UnresolvableParameterError(handler, unmarked[1], "connect has one payload, auth; mark the others")
    return SocketEvent(
        namespace, name, handler, plan, ordered, emits or {}, None if name in _WITHOUT_ACK else _ack_type(handler)
    )


def _ack_type(handler: Callable[..., Any]) -> WireType | None:
    returns = read_return(handler)
    if returns is EMPTY or returns is Any:
        return None
    try:
        return WireType(returns)
    except PydanticSchemaGenerationError as error:
        name = f"{handler.__module__}.{getattr(handler, '__qualname__', handler)}"
        raise TypeError(f"{name} returns {returns!r}, which cannot be an ack: annotate a model, or Any.") from error
