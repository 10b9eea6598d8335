from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter

from src.core.resources import Resources
from src.core.stores.cache import Cache, cached
from src.core.unit_of_work import UnitOfWork
from src.crud.permission_code import PermissionCodeCRUD
from src.schemas.permission_code import PermissionCodeResponse

CODES = TypeAdapter(list[PermissionCodeResponse])
TAG = "routes"
CACHE_SECONDS = 3600


class PermissionCodeService:
    """Lists the permission codes of routes and events, and keeps their table in line with the code."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    @property
    def cache(self) -> Cache:
        """Caches the list, which only changes with a release."""
        return self.resources.cache

    @cached("routes", CODES, seconds=CACHE_SECONDS, tags=[TAG])
    async def all(self) -> list[PermissionCodeResponse]:
        """Every permission code."""
        async with self.resources.sessions() as session:
            return [PermissionCodeResponse.model_validate(row) for row in await PermissionCodeCRUD(session).list()]

    async def register(self, uow: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
        """Store the codes of the running application, as rows of their table, and delete all others."""
        await PermissionCodeCRUD(uow.session).replace(rows)
        uow.after_commit("invalidate routes", lambda: self.cache.invalidate(TAG))
