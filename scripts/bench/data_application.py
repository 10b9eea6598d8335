"""The product with a list of items more.

uvicorn scripts.bench.data_application:app
"""

from typing import Annotated

from fastapi import APIRouter, Query

from scripts.bench.items import ItemCRUD, ItemPage, ItemResponse
from src.api import access
from src.core.config import settings
from src.core.routing.index import RouteIndex
from src.deps.database import ReadUnitOfWorkDep
from src.main import app, create_registry, rest, server
from src.schemas.response import Page, Response, paged

__all__ = ["app"]

router = APIRouter(prefix="/api/v1/bench")


@router.get("/items")
async def list_items(query: Annotated[ItemPage, Query()], uow: ReadUnitOfWorkDep) -> Response[Page[ItemResponse]]:
    """One page, as the product's lists are made."""
    return paged(query, await ItemCRUD(uow.session).project(ItemResponse).page(query))


rest.include_router(router)
access.PUBLIC.add("GET:/api/v1/bench/items")
rest.state.registry = create_registry(rest, server, settings)
rest.router.routes[0] = RouteIndex(rest.routes[1:])
