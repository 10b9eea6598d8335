from collections.abc import Sequence

from pydantic import TypeAdapter

from src.core.resources import Resources
from src.core.stores.cache import Cache, cached
from src.core.unit_of_work import UnitOfWork
from src.crud.permission_code import PermissionCodeCRUD
from src.models.permission_code import PermissionCode
from src.schemas.permission_code import PermissionCodeResponse

ROUTES = TypeAdapter(list[PermissionCodeResponse])
TAG = "routes"
KEPT_SECONDS = 3600


class PermissionCodeService:
    """Keeps the registry of grantable routes and events equal to the code, and shows it."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    @property
    def cache(self) -> Cache:
        """Where the list is kept: it changes with releases alone."""
        return self.resources.cache

    @cached("routes", ROUTES, seconds=KEPT_SECONDS, tags=[TAG])
    async def all(self) -> list[PermissionCodeResponse]:
        """Every grantable code, by path."""
        async with self.resources.sessions() as session:
            return [PermissionCodeResponse.model_validate(route) for route in await PermissionCodeCRUD(session).list()]

    async def register(self, uow: UnitOfWork, routes: Sequence[PermissionCode]) -> None:
        """Store what the running program offers, and forget what it no longer does."""
        await PermissionCodeCRUD(uow.session).replace(routes)
        uow.after_commit("invalidate routes", lambda: self.cache.invalidate(TAG))
