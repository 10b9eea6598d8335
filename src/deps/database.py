"""Stores and the unit of work; no HTTP in these signatures, so that REST, sockets and tasks share them."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends
from redis.asyncio import Redis
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.resources import Resources, current_resources
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


def unit_of_work_on(database: str) -> Callable[[ResourcesDep], AsyncIterator[UnitOfWork]]:
    """A dependency on the unit of work of another SQL database, by the name that `SQL_DATABASES` gives it.

    ReportsUnitOfWorkDep = Annotated[UnitOfWork, Depends(unit_of_work_on("reports"), scope="function")]
    """

    async def get_named_uow(resources: ResourcesDep) -> AsyncIterator[UnitOfWork]:
        async with resources.unit_of_work(database) as uow:
            yield uow

    return get_named_uow


async def get_read_uow(resources: ResourcesDep) -> AsyncIterator[UnitOfWork]:
    """For services that only read: on the replica, where there is one; nothing is ever committed."""
    async with resources.read_sessions() as session:
        yield UnitOfWork(session, resources.tasks, resources.events)


ReadUnitOfWorkDep = Annotated[UnitOfWork, Depends(get_read_uow, scope="function")]


async def get_read_session(uow: ReadUnitOfWorkDep) -> AsyncSession:
    """The SQL session that only reads."""
    return uow.session


async def get_session(uow: UnitOfWorkDep) -> AsyncSession:
    """The SQL session of the unit of work."""
    return uow.session


async def get_redis(resources: ResourcesDep) -> Redis:
    """The Redis client of this process."""
    return resources.redis


SessionDep = Annotated[AsyncSession, Depends(get_session)]
ReadSessionDep = Annotated[AsyncSession, Depends(get_read_session)]
RedisDep = Annotated[Redis, Depends(get_redis)]
