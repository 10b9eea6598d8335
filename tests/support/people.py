"""Users for tests, with exactly the permissions that a test is about."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.models.role import Role
from src.models.user import User, UserRole
from src.services.client_tokens import ClientInfo, TokenPair
from src.services.session import SessionService
from src.utils.password import hash_password

PASSWORD = "correct horse battery staple"
USER_AGENT = "tests"


@cache
def password_hash() -> str:
    """The hash of `PASSWORD`, made once: it is slow on purpose."""
    return hash_password(PASSWORD)


@dataclass
class Person:
    """A user who is logged in."""

    user: User
    tokens: TokenPair

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a request by this user."""
        return {"Authorization": f"Bearer {self.tokens.access_token}", "User-Agent": USER_AGENT}


class People:
    """Creates users, roles and sessions."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources

    async def create(self, *codes: str, **fields: Any) -> Person:
        """A logged-in user, with a role that grants exactly these codes."""
        user = await self.user(**fields)
        if codes:
            role = Role(name="Role", code=uuid4().hex, interface_permissions=list(codes))
            self.uow.session.add(role)
            await self.uow.session.flush()
            self.uow.session.add(UserRole(user_id=user.id, role_id=role.id))
        await self.uow.session.commit()
        return await self.login(user)

    async def user(self, **fields: Any) -> User:
        """A user whose password is `PASSWORD`."""
        name = uuid4().hex
        defaults = {"name": "Somebody", "username": name, "email": f"{name}@example.com"}
        user = User.model_validate({**defaults, "password_hash": password_hash(), **fields})
        self.uow.session.add(user)
        await self.uow.session.commit()
        return user

    async def login(self, user: User) -> Person:
        """Start another session of a user."""
        return Person(user, await SessionService(self.resources).start(user.id, ClientInfo(USER_AGENT, "127.0.0.1")))
