"""`/livez`, `/readyz` and `/metrics`, for operators."""

from typing import Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from src.core.health import check_stores
from src.deps.database import ResourcesDep

router = APIRouter(tags=["Health"])


class Liveness(BaseModel):
    """The process is running."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Which stores are available."""

    status: Literal["ok", "degraded"]
    stores: dict[str, bool]


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
