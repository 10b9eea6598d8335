"""`/livez`, `/readyz` and `/metrics`, for operators."""

from typing import ClassVar, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from src.core.health import check_stores
from src.deps.database import ResourcesDep
from src.schemas.base import BaseSchema

router = APIRouter(tags=["Health"])


class Liveness(BaseSchema):
    """The process is running."""

    status: Literal["ok"] = "ok"
    """Always `ok`."""


class Readiness(BaseSchema):
    """Which stores are available."""

    status: Literal["ok", "degraded"]
    """`ok` if every store is available."""
    stores: dict[str, bool]
    """Whether each store is available."""

    EXAMPLE: ClassVar = {"stores": {"postgresql": True, "redis": True}}


@router.get("/livez")
async def livez() -> Liveness:
    """Whether the process is running; checks no store."""
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(resources: ResourcesDep, response: Response) -> Readiness:
    """Whether every store is available; 503 if one is not."""
    stores = await check_stores(resources)
    if all(stores.values()):
        return Readiness(status="ok", stores=stores)
    response.status_code = 503
    response.headers["Retry-After"] = "1"
    return Readiness(status="degraded", stores=stores)


@router.get("/metrics", include_in_schema=False)
async def metrics() -> Response:
    """Metrics in the Prometheus text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
