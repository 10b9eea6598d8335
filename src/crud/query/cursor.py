"""Cursors of keyset pagination: opaque to clients, and signed, so that a forged one never reaches a store."""

import base64
import binascii
import hashlib
import hmac
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from src.core.config import settings
from src.core.exceptions import InvalidInputError

_SIGNATURE_BYTES = 16


@cache
def _key() -> bytes:
    """A key derived from `ACCESS_TOKEN_KEY`: rotating that key invalidates all cursors."""
    return hmac.digest(settings.auth.access_token_key.get_secret_value().encode(), b"cursor", hashlib.sha256)


def seal(position: list[Any], scope: object) -> str:
    """Encode a position. The cursor is only valid for the same scope: the same resource, filters and order."""
    payload = to_json(position)
    return base64.urlsafe_b64encode(_sign(payload, scope) + payload).rstrip(b"=").decode()


def unseal(cursor: str, scope: object, types: Any) -> tuple[Any, ...]:
    """Decode a position; `types` is the tuple type of its values.

    Raises:
        InvalidInputError: The cursor is forged, or belongs to another scope.
    """
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        signature, payload = sealed[:_SIGNATURE_BYTES], sealed[_SIGNATURE_BYTES:]
        if hmac.compare_digest(signature, _sign(payload, scope)):
            position: tuple[Any, ...] = TypeAdapter(types).validate_json(payload)
            return position
    except (binascii.Error, ValueError, ValidationError):
        pass  # treated like a wrong signature
    raise InvalidInputError("cursor", "This cursor does not belong to this list.")


def _sign(payload: bytes, scope: object) -> bytes:
    signed = to_json(_in_order(scope), fallback=str) + b"\n" + payload
    return hmac.digest(_key(), signed, hashlib.sha256)[:_SIGNATURE_BYTES]


def _in_order(scope: Any) -> Any:
    """The scope with sorted lists for its sets, whose order differs between processes."""
    match scope:
        case dict():
            return {name: _in_order(value) for name, value in scope.items()}
        case list() | tuple():
            return [_in_order(item) for item in scope]
        case set() | frozenset():
            return sorted(map(str, scope))
    return scope
