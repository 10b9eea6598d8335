from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> UUID:
    """A time-ordered UUID (RFC 9562): later ids sort later, so that indexes grow at their end."""
    return _uuid7()


def uuid7_text() -> str:
    """The same as text, eight times as fast."""
    return str(uuid_utils.uuid7())
