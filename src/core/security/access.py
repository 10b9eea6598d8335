from enum import StrEnum


class Access(StrEnum):
    """What a route or event requires of its callers: nothing, a live session, or its permission code."""

    PUBLIC = "public"
    SESSION = "any login"
    PERMISSION = "permission"
