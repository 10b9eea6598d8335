"""Carries out the commands of `users.py`: each is one transaction, is in the audit log, and returns what it did."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError

from src.core.security.audit import AuditEntry
from src.manage.stores import open_stores, run
from src.models.user import User
from src.schemas.user import AccountCreate
from src.services.account import AccountService
from src.services.audit import AuditService

SUCCESS = 200


def create(fields: Mapping[str, Any], password: str, *, must_change_password: bool) -> str:
    """Create a user; `fields` are those of `AccountCreate`."""
    try:
        data = AccountCreate.model_validate(fields)
    except ValidationError as error:
        sys.exit("; ".join(f"{item['loc'][0]}: {item['msg']}".rstrip(".") for item in error.errors()) + ".")

    async def command() -> str:
        async with account_service("create") as (accounts, record):
            record(await accounts.create(data, password, must_change_password=must_change_password))
        return f"Created {data.username}{' as an administrator' if data.is_admin else ''}."

    return run(command())


def promote(username: str) -> str:
    """Make a user an administrator."""

    async def command() -> str:
        async with account_service("promote") as (accounts, record):
            record(await accounts.promote(username))
        return f"{username} is an administrator from the next request on."

    return run(command())


def set_password(username: str, password: str, *, must_change_password: bool) -> str:
    """Set a user's password, and end their sessions."""

    async def command() -> str:
        async with account_service("password") as (accounts, record):
            record(await accounts.set_password(username, password, must_change_password=must_change_password))
        return f"The password of {username} is set, and all their sessions have ended."

    return run(command())


def unlock(username: str) -> str:
    """Forget a user's failed logins."""

    async def command() -> str:
        async with account_service("unlock") as (accounts, record):
            user, had_failures = await accounts.unlock(username)
            record(user)
        return f"{username} may log in again." if had_failures else f"{username} was not locked: no failed logins."

    return run(command())


@asynccontextmanager
async def account_service(command: str) -> AsyncIterator[tuple[AccountService, Callable[[User], None]]]:
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

        yield AccountService(uow, resources), record


def operator() -> str:
    """The operating system's user who runs the command; behind `sudo`, the one who called it."""
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or f"uid {os.getuid()}"
