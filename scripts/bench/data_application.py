"""The product with a list of items more.

uvicorn scripts.bench.data_application:app
"""

import time
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
waits: list[float] = []


@router.get("/items")
async def list_items(query: Annotated[ItemPage, Query()], uow: ReadUnitOfWorkDep) -> Response[Page[ItemResponse]]:
    """One page, as the product's lists are made."""
    return paged(query, await ItemCRUD(uow.session).project(ItemResponse).page(query))


@router.get("/items/timed")
async def list_items_timed(query: Annotated[ItemPage, Query()], uow: ReadUnitOfWorkDep) -> Response[Page[ItemResponse]]:
    """The same, and how long it waited for a connection."""
    asked = time.perf_counter()
    _ = await uow.session.connection()
    waits.append(time.perf_counter() - asked)
    return await list_items(query, uow)


@router.get("/waits")
async def list_waits() -> Response[list[float]]:
    """How long requests waited for a connection since this was asked last, in seconds."""
    result = [*waits]
    waits.clear()
    return Response(data=result)


rest.include_router(router)
access.PUBLIC |= {f"GET:/api/v1/bench/{path}" for path in ("items", "items/timed", "waits")}
rest.state.registry = create_registry(rest, server, settings)
rest.router.routes[0] = RouteIndex(rest.routes[1:])
