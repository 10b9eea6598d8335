"""The hand-written application that ours is measured against: the same answers, the best way we know, without layers.

uvicorn scripts.bench.baseline:app
"""

import base64
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import jwt
from fastapi import FastAPI, HTTPException, Request
from pydantic import BaseModel
from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from src.models.role import Role
from src.models.user import User, UserRole

SECRET = base64.urlsafe_b64encode(os.environ["ACCESS_TOKEN_KEY"].encode()).rstrip(b"=").decode()
KEY = jwt.PyJWK({"kty": "oct", "k": SECRET, "alg": "HS256"})
AUDIENCE = "async-fastapi-multidb"
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
engine = create_async_engine(os.environ["SQL_DATABASE_URL"], pool_size=20)
rows = engine.execution_options(isolation_level="AUTOCOMMIT")


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
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Close the pools."""
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


@app.get("/user")
async def user_info(request: Request) -> UserAnswer:
    """The current user's row and roles, after token and session were checked."""
    claims = read_token(request)
    if not await redis.exists(f"auth:session:{{{claims['sub']}}}:{claims['sid']}"):
        raise HTTPException(401)
    user_id = UUID(claims["sub"])
    users, links, roles = User.__table__, UserRole.__table__, Role.__table__  # type: ignore[attr-defined]  # SQLModel's
    async with rows.connect() as connection:
        user = (await connection.execute(select(users).where(users.c.id == user_id))).one()
        joined = select(roles).join(links, links.c.role_id == roles.c.id).where(links.c.user_id == user_id)
        mine = (await connection.execute(joined)).all()
    return UserAnswer(
        ts=int(time.time()),
        data=UserInfo(
            id=user.id,
            name=user.name,
            email=user.email,
            username=user.username,
            status=user.status,
            isAdmin=user.is_admin,
            mustChangePassword=user.must_change_password,
            roles=[role.code for role in mine],
            buttonPermissions=[code for role in mine for code in role.button_permissions],
            routerPermissions=[code for role in mine for code in role.router_permissions],
            createTime=user.create_time,
            updateTime=user.update_time,
        ),
    )
