"""What API keys may not do: nobody who finds a key gets another credential, or takes one away from its owner."""

from src.core.exceptions import UnauthorizedError

PERSON_ONLY = frozenset(
    {
        "POST:/api/v1/api-keys",
        "POST:/api/v1/api-keys/{keyId}/rotate",
        "DELETE:/api/v1/api-keys/{keyId}",
        "POST:/api/v1/service-accounts",
        "POST:/api/v1/users",
        "PATCH:/api/v1/users/{userId}",
        "DELETE:/api/v1/users/{userId}",
        "PUT:/api/v1/users/{userId}/password",
        "PUT:/api/v1/users/{userId}/status",
        "POST:/api/v1/users/{userId}/unlock",
        "DELETE:/api/v1/users/{userId}/sessions",
        "DELETE:/api/v1/users/{userId}/sessions/{sessionId}",
    }
)
"""Codes of routes that make, change or end passwords, keys, sessions and accounts; no key holds them."""
PERSON_ONLY_WITH_EMAIL = frozenset({"POST:/api/v1/users/invitations"})
"""The same, of routes that exist where e-mail is configured."""


def login_required() -> UnauthorizedError:
    """The error of routes that accept no API key at all: those about the caller's own account, and Socket.IO."""
    return UnauthorizedError("API keys are not accepted here: log in.", error="auth.login_required")


def needs_person(code: str) -> bool:
    """Whether no API key can hold this code. Events are among them: Socket.IO accepts no keys."""
    return code in PERSON_ONLY or code in PERSON_ONLY_WITH_EMAIL or code.startswith("SOCKET:")
