"""The users that the benchmarks log in as."""

import uuid
from dataclasses import dataclass

from src.core.config import settings
from src.core.resources import open_resources
from src.core.security.api_key import hash_key, new_key
from src.models.api_key import ApiKey
from src.models.role import Role
from src.models.user import User, UserRole
from src.queues import load_app
from src.queues.emitter import RedisEmitter
from src.queues.publisher import create_outbox
from src.services.client_tokens import ClientInfo
from src.services.session import SessionService
from src.utils.password import hash_password

PASSWORD = "bench-pass"  # noqa: S105 - of users that live for a minute
AGENT = "bench"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a name, and the headers of their requests: with an access token, and with an API key."""

    username: str
    headers: dict[str, str]
    key_headers: dict[str, str]


async def create(username: str, codes: int) -> Caller:
    """A user with this many permission codes, that of the guarded route among them, logged in."""
    events = RedisEmitter(settings.REDIS_DATABASE_URL)
    async with open_resources(settings, create_outbox(load_app), events) as resources:
        user = User(
            name="Bench",
            email=f"{username}@example.com",
            username=username,
            password_hash=hash_password(PASSWORD),
        )
        held = ["GET:/api/v1/bench/guarded", *(f"GET:/api/v1/{uuid.uuid4()}" for _ in range(codes - 1))]
        role = Role(name=username, code=username, interface_permissions=held)
        async with resources.unit_of_work() as uow:
            uow.session.add_all([user, role])
            await uow.session.flush()
            key = new_key()
            row = ApiKey(user_id=user.id, name="Bench", start="", key_hash=hash_key(key), codes=held[:1])
            uow.session.add_all([UserRole(user_id=user.id, role_id=role.id), row])
        tokens = await SessionService(resources).start(user.id, ClientInfo(AGENT, "127.0.0.1"))
    await events.aclose()
    headers = [{"Authorization": f"Bearer {bearer}", "User-Agent": AGENT} for bearer in (tokens.access_token, key)]
    return Caller(username, *headers)
