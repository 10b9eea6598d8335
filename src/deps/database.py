"""Stores and the unit of work; no HTTP in these signatures, so that REST, sockets and tasks share them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from redis.asyncio import Redis
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.database import Resources, current_resources
from src.core.unit_of_work import UnitOfWork


async def get_resources() -> Resources:
    """Everything that this process holds open."""
    return current_resources()


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_uow(resources: ResourcesDep) -> AsyncIterator[UnitOfWork]:
    """One transaction for the whole request, event or task."""
    async with resources.unit_of_work() as uow:
        yield uow


# The scope makes the commit happen before the answer leaves: nobody is told of a success that then fails.
UnitOfWorkDep = Annotated[UnitOfWork, Depends(get_uow, scope="function")]


async def get_session(uow: UnitOfWorkDep) -> AsyncSession:
    """The SQL session of the unit of work."""
    return uow.session


async def get_redis(resources: ResourcesDep) -> Redis:
    """The Redis client of this process."""
    return resources.redis


SessionDep = Annotated[AsyncSession, Depends(get_session)]
RedisDep = Annotated[Redis, Depends(get_redis)]
