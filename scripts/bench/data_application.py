"""The product with a list of items more.

uvicorn scripts.bench.data_application:app
"""

from typing import Annotated

from fastapi import APIRouter, Query

from scripts.bench.items import ItemCRUD, ItemPage, ItemResponse
from src.core.routing.index import RouteIndex
from src.core.routing.registry import RouteRegistry
from src.deps.database import ReadUnitOfWorkDep
from src.main import app, rest
from src.schemas.response import Page, Response, paged

__all__ = ["app"]

router = APIRouter(prefix="/api/v1/bench")


@router.get("/items")
async def list_items(query: Annotated[ItemPage, Query()], uow: ReadUnitOfWorkDep) -> Response[Page[ItemResponse]]:
    """One page, as the product's lists are made."""
    return paged(query, await ItemCRUD(uow.session).project(ItemResponse).page(query))


rest.include_router(router)
rest.state.registry = RouteRegistry(rest)
rest.router.routes[0] = RouteIndex(rest.routes[1:])
