"""The hand-written application that ours is measured against: the same answers, the best way we know, without layers.

uvicorn scripts.bench.baseline:app
"""

import base64
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import jwt
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import create_async_engine

from src import NAME
from src.models.role import Role
from src.models.user import User, UserRole

SECRET = base64.urlsafe_b64encode(os.environ["ACCESS_TOKEN_KEY"].encode()).rstrip(b"=").decode()
KEY = jwt.PyJWK({"kty": "oct", "k": SECRET, "alg": "HS256"})
AUDIENCE = NAME.lower()
OPTIONS: Any = {"require": ["iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp"]}
GRANTED = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 'ended' end
local stamp = '@' .. redis.call('GET', KEYS[4]) .. ':' .. redis.call('GET', KEYS[3])
local found = redis.call('SMISMEMBER', KEYS[2], stamp, ARGV[1], '*')
if found[1] == 1 and (found[2] == 1 or found[3] == 1) then return 'granted' end
return 'denied'
"""

redis = Redis.from_url(os.environ["REDIS_DATABASE_URL"], decode_responses=True)
granted = redis.register_script(GRANTED)
engine = create_async_engine(os.environ["SQL_DATABASE_URL"], pool_size=20, max_overflow=0)
rows = engine.execution_options(isolation_level="AUTOCOMMIT")

users, links, roles = User.__table__, UserRole.__table__, Role.__table__  # type: ignore[attr-defined]  # SQLModel's
user_row = [users.c[name] for name in ("id", "name", "email", "username", "status", "is_admin")]
user_row += [users.c[name] for name in ("must_change_password", "create_time", "update_time")]
role_row = [roles.c.code, roles.c.button_permissions, roles.c.router_permissions]
find_user = (
    select(*user_row, *role_row)
    .select_from(users)
    .outerjoin(links, links.c.user_id == users.c.id)
    .outerjoin(roles, and_(roles.c.id == links.c.role_id, roles.c.status.is_(True)))
    .where(users.c.id == bindparam("user_id"))
    .order_by(roles.c.code)
)

RAW = str(find_user.compile(dialect=engine.dialect)).replace("$1::UUID", "$1")


class Constant(BaseModel):
    """What the constant routes say."""

    code: int = 200
    message: str = "Success."
    ts: int
    data: str = "pong"


class UserInfo(BaseModel):
    """The current user."""

    id: UUID
    name: str
    email: str
    username: str
    status: bool
    isAdmin: bool  # noqa: N815 - as it is on the wire
    mustChangePassword: bool  # noqa: N815 - as it is on the wire
    roles: list[str]
    buttonPermissions: list[str]  # noqa: N815 - as it is on the wire
    routerPermissions: list[str]  # noqa: N815 - as it is on the wire
    createTime: datetime  # noqa: N815 - as it is on the wire
    updateTime: datetime  # noqa: N815 - as it is on the wire


class UserAnswer(BaseModel):
    """Its envelope."""

    code: int = 200
    message: str = "Success."
    ts: int
    data: UserInfo


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open and close the pools."""
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with asyncpg.create_pool(url, min_size=1, max_size=20) as pool:
        app.state.pool = pool
        yield
    await redis.aclose()
    await engine.dispose()


app = FastAPI(
    lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
)


def read_token(request: Request) -> dict[str, Any]:
    """The claims of a valid token."""
    token = request.headers["authorization"].removeprefix("Bearer ")
    try:
        return jwt.decode(token, KEY, ["HS256"], issuer=AUDIENCE, audience=AUDIENCE, options=OPTIONS)
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error


@app.get("/public")
async def public() -> Constant:
    """A constant, for anybody."""
    return Constant(ts=int(time.time()))


@app.get("/guarded")
async def guarded(request: Request) -> Constant:
    """A constant, after token, session and permission were checked."""
    claims = read_token(request)
    user = claims["sub"]
    keys = [
        f"auth:session:{{{user}}}:{claims['sid']}",
        f"auth:permission:{{{user}}}",
        f"auth:epoch:{{{user}}}",
        "auth:epoch",
    ]
    answer = await granted(keys=keys, args=["GET:/api/v1/bench/guarded"])
    if answer != "granted":
        raise HTTPException(401 if answer == "ended" else 403)
    return Constant(ts=int(time.time()))


async def require_session(request: Request) -> UUID:
    """The id of the user whose session lives."""
    claims = read_token(request)
    if not await redis.exists(f"auth:session:{{{claims['sub']}}}:{claims['sid']}"):
        raise HTTPException(401)
    return UUID(claims["sub"])


def answer(found: Sequence[Any]) -> UserAnswer:
    """The rows of the statement above as the client gets them."""
    user = found[0]
    mine = [row for row in found if row[9] is not None]
    return UserAnswer(
        ts=int(time.time()),
        data=UserInfo(
            id=user[0],
            name=user[1],
            email=user[2],
            username=user[3],
            status=user[4],
            isAdmin=user[5],
            mustChangePassword=user[6],
            createTime=user[7],
            updateTime=user[8],
            roles=[row[9] for row in mine],
            buttonPermissions=sorted({code for row in mine for code in row[10]}),
            routerPermissions=sorted({code for row in mine for code in row[11]}),
        ),
    )


@app.get("/user")
async def user_info(request: Request) -> UserAnswer:
    """The current user's row and roles, after token and session were checked."""
    user_id = await require_session(request)
    async with rows.connect() as connection:
        found = (await connection.execute(find_user, {"user_id": user_id})).all()
    return answer(found)


@app.get("/user/raw")
async def user_info_raw(request: Request) -> UserAnswer:
    """The same on asyncpg alone."""
    user_id = await require_session(request)
    found = await app.state.pool.fetch(RAW, user_id)
    return answer(found)
