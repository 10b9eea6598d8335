import re
from enum import StrEnum


class Access(StrEnum):
    """What a route or event requires of its callers: nothing, a live session, or its permission code."""

    PUBLIC = "public"
    SESSION = "any login"
    PERMISSION = "permission"


DECLARED: dict[str, str] = {}
"""Permissions that are no route or event, and what each is for; filled by `declare_permission`."""


def declare_permission(code: str, description: str) -> str:
    """Declare a permission that is no route or event, so that roles can grant it; returns the code.

    MANAGE_INVOICES = declare_permission("invoice.manage", "See and change everybody's invoices.")

    Raises:
        ValueError: The code is not of the form `noun.verb`, or is declared twice.
    """
    if not re.fullmatch(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+", code) or DECLARED.get(code, description) != description:
        raise ValueError(f"{code!r} is not of the form `noun.verb`, or has another description elsewhere.")
    DECLARED[code] = description
    return code
