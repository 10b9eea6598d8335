"""Carries out the commands of `users.py`: each is one transaction, is in the audit log, and returns what it did."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec

from pydantic import ValidationError

from src.core.security.audit import AuditEntry
from src.manage.stores import open_stores, run
from src.models.user import User
from src.schemas.user import OperatorUserCreate
from src.services.audit import AuditService
from src.services.user_operator import UserOperatorService

P = ParamSpec("P")
SUCCESS = 200


def blocking(command: Callable[P, Coroutine[Any, Any, str]]) -> Callable[P, str]:
    """Make a coroutine function an ordinary one that runs to its end."""

    @wraps(command)
    def run_command(*args: P.args, **kwargs: P.kwargs) -> str:
        return run(command(*args, **kwargs))

    return run_command


@blocking
async def create(fields: Mapping[str, Any], password: str, *, must_change_password: bool) -> str:
    """Create a user; `fields` are those of `OperatorUserCreate`."""
    try:
        data = OperatorUserCreate.model_validate(fields)
    except ValidationError as error:
        sys.exit("; ".join(f"{item['loc'][0]}: {item['msg']}".rstrip(".") for item in error.errors()) + ".")
    async with user_service("create") as (users, record):
        record(await users.create(data, password, must_change_password=must_change_password))
    return f"Created {data.username}{' as an administrator' if data.is_admin else ''}."


@blocking
async def promote(username: str) -> str:
    """Make a user an administrator."""
    async with user_service("promote") as (users, record):
        record(await users.promote(username))
    return f"{username} is an administrator from the next request on."


@blocking
async def set_password(username: str, password: str, *, must_change_password: bool) -> str:
    """Set a user's password, and end their sessions."""
    async with user_service("password") as (users, record):
        record(await users.set_password(username, password, must_change_password=must_change_password))
    return f"The password of {username} is set, and all their sessions have ended."


@blocking
async def unlock(username: str) -> str:
    """Reset a user's failed logins."""
    async with user_service("unlock") as (users, record):
        user, had_failures = await users.unlock(username)
        record(user)
    return f"{username} may log in again." if had_failures else f"{username} was not locked: no failed logins."


@blocking
async def reset_factors(username: str) -> str:
    """Remove a user's second factors, and end their sessions."""
    async with user_service("factors reset") as (users, record):
        user, number = await users.reset_factors(username)
        record(user)
    return f"{username} has no second factor any more: {number} removed, and all their sessions have ended."


@asynccontextmanager
async def user_service(command: str) -> AsyncIterator[tuple[UserOperatorService, Callable[[User], None]]]:
    """The service on a transaction of its own, and a function that records the command in the audit log."""
    async with open_stores() as resources, resources.unit_of_work() as uow:

        def record(user: User) -> None:
            entry = AuditEntry(
                action=f"manage.sh user {command}",
                target={"userId": str(user.id)},
                details={"username": user.username, "operator": operator()},
                user_agent="manage.sh",
            )
            AuditService(resources).record_on_commit(uow, entry, SUCCESS)

        yield UserOperatorService(uow, resources), record


def operator() -> str:
    """The operating system's user who runs the command; behind `sudo`, the one who called it."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"
