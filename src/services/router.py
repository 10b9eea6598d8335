from collections.abc import Sequence

from src.core.unit_of_work import UnitOfWork
from src.crud.route import RouteCRUD
from src.models.route import Route


class RouterService:
    """Keeps the registry of grantable routes and events equal to the code."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.routes = RouteCRUD(uow.session)

    async def list(self) -> Sequence[Route]:
        """Every grantable code, by path."""
        return await self.routes.list()

    async def register(self, routes: Sequence[Route]) -> None:
        """Store what the running program offers, and forget what it no longer does."""
        await self.routes.replace(routes)
