"""The payload of an event in python-socketio's messages: a list of arguments, with binary ones as base64 at its end."""

import base64
from typing import Any

from socketio.packet import Packet


def encode_event_data(data: Any) -> tuple[list[Any], bool]:
    """The arguments of a payload, and whether some are binary; a tuple is several arguments."""
    arguments: Any = list(data) if isinstance(data, tuple) else [data]
    if not Packet.data_is_binary(arguments):
        return arguments, False
    structure, attachments = Packet.deconstruct_binary(arguments)
    return [structure, *(base64.b64encode(attachment).decode() for attachment in attachments)], True


def decode_event_data(message: dict[str, Any]) -> Any:
    """The payload of an emit message: one argument, or a tuple of several."""
    arguments = message["data"]
    if message.get("binary"):
        structure, *attachments = arguments
        arguments = Packet.reconstruct_binary(structure, [base64.b64decode(attachment) for attachment in attachments])
    if not isinstance(arguments, list):
        return arguments
    return arguments[0] if len(arguments) == 1 else tuple(arguments)
