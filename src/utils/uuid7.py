from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7 as _uuid7


def uuid7() -> UUID:
    """A time-ordered UUID (RFC 9562): keys made later sort later, so indexes grow at their end."""
    return _uuid7()


def uuid7_text() -> str:
    """The same as text, at an eighth of the price."""
    return str(uuid_utils.uuid7())
