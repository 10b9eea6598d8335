from collections.abc import Sequence

from pydantic import TypeAdapter

from src.core.resources import Resources
from src.core.stores.cache import Cache, cached
from src.core.unit_of_work import UnitOfWork
from src.crud.route import RouteCRUD
from src.models.route import Route
from src.schemas.router import RouteResponse

ROUTES = TypeAdapter(list[RouteResponse])
TAG = "routes"
KEPT_SECONDS = 3600


class RouterService:
    """Keeps the registry of grantable routes and events equal to the code, and shows it."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    @property
    def cache(self) -> Cache:
        """Where the list is kept: it changes with releases alone."""
        return self.resources.cache

    @cached("routes", ROUTES, seconds=KEPT_SECONDS, tags=[TAG])
    async def all(self) -> list[RouteResponse]:
        """Every grantable code, by path."""
        async with self.resources.sessions() as session:
            return [RouteResponse.model_validate(route) for route in await RouteCRUD(session).list()]

    async def register(self, uow: UnitOfWork, routes: Sequence[Route]) -> None:
        """Store what the running program offers, and forget what it no longer does."""
        await RouteCRUD(uow.session).replace(routes)
        uow.after_commit("invalidate routes", lambda: self.cache.invalidate(TAG))
