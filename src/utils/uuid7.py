from uuid import UUID

from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> UUID:
    """A time-ordered UUID (RFC 9562): keys made later sort later, so indexes grow at their end."""
    return _uuid7()
