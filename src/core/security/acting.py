"""Sessions in which an administrator acts as a user. Their ids name the administrator and the administrator's session.

So whatever takes the id of a session, such as `PermissionService`, knows of whom else to ask.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from src.core.security.token import AccessClaims, new_id

# In front of the id: those of other sessions have no colon.
_PREFIX = "act:"
_SHOWN_PREFIX = "act-"


@dataclass(frozen=True, slots=True)
class Impersonator:
    """The administrator who acts as a user, and the session that they have logged in to themselves."""

    user_id: UUID
    session_id: str


def acting_session_id(impersonator: AccessClaims) -> str:
    """The id of a new session in which the caller acts as somebody else."""
    return f"{_PREFIX}{impersonator.user_id.hex}:{impersonator.session_id}:{new_id()}"


def impersonator_of(session_id: str) -> Impersonator | None:
    """Who acts in this session in the place of its user; None in all others."""
    if not session_id.startswith(_PREFIX):
        return None
    _, user_id, own_session_id, _ = session_id.split(":")
    return Impersonator(UUID(user_id), own_session_id)


def shown_id(session_id: str) -> str:
    """What lists of sessions show as the id: not that of the administrator's own session, which acting ones name."""
    if not session_id.startswith(_PREFIX):
        return session_id
    return _SHOWN_PREFIX + hashlib.sha256(session_id.encode()).hexdigest()


def is_shown_id(session_id: str) -> bool:
    """Whether it stands for a session in which somebody acts as the user."""
    return session_id.startswith(_SHOWN_PREFIX)
