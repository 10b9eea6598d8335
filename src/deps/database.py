"""The stores and the unit of work. Nothing here depends on HTTP: REST, sockets and tasks share these dependencies."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.exceptions import ServiceUnavailableError, raises
from src.core.resources import Resources, current_resources
from src.core.stores.redis_client import RedisClient
from src.core.unit_of_work import ReadUnitOfWork, UnitOfWork


@raises(ServiceUnavailableError)
async def get_resources() -> Resources:
    """The stores and clients of this process."""
    return current_resources()


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_uow(resources: ResourcesDep) -> AsyncIterator[UnitOfWork]:
    """One transaction for the whole request, event or task."""
    async with resources.unit_of_work() as uow:
        yield uow


# With this scope the commit happens before the response is sent, so that a success is never reported and then lost.
UnitOfWorkDep = Annotated[UnitOfWork, Depends(get_uow, scope="function")]


def unit_of_work_on(database: str) -> Callable[[ResourcesDep], AsyncIterator[UnitOfWork]]:
    """A dependency on the unit of work of another SQL database, by its name in `SQL_DATABASES`.

    ReportsUnitOfWorkDep = Annotated[UnitOfWork, Depends(unit_of_work_on("reports"), scope="function")]
    """

    async def get_named_uow(resources: ResourcesDep) -> AsyncIterator[UnitOfWork]:
        async with resources.unit_of_work(database) as uow:
            yield uow

    return get_named_uow


async def get_read_uow(resources: ResourcesDep) -> AsyncIterator[ReadUnitOfWork]:
    """A unit of work for services that only read, on the replica if there is one."""
    async with resources.read_sessions() as session:
        yield ReadUnitOfWork(session, resources.tasks, resources.events)


ReadUnitOfWorkDep = Annotated[ReadUnitOfWork, Depends(get_read_uow, scope="function")]


async def get_read_session(uow: ReadUnitOfWorkDep) -> AsyncSession:
    """A read-only SQL session, on the replica if there is one."""
    return uow.session


async def get_session(uow: UnitOfWorkDep) -> AsyncSession:
    """The SQL session of the unit of work."""
    return uow.session


async def get_redis(resources: ResourcesDep) -> RedisClient:
    """The Redis client of this process."""
    return resources.redis


SessionDep = Annotated[AsyncSession, Depends(get_session)]
ReadSessionDep = Annotated[AsyncSession, Depends(get_read_session)]
RedisDep = Annotated[RedisClient, Depends(get_redis)]
