"""`/livez`, `/readyz` and `/metrics`, for operators."""

from hmac import compare_digest
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Header, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from src.api.response_headers import described
from src.core.exceptions import NotFoundError, UnauthorizedError
from src.core.health import REQUIRED, check_stores
from src.core.outages import report_outage
from src.core.shutdown.draining import is_draining
from src.deps.database import ResourcesDep
from src.schemas.base import BaseSchema
from src.services.shared_metrics import read_shared_metrics

router = APIRouter(tags=["Health"])


class Liveness(BaseSchema):
    """The process is running."""

    status: Literal["ok"] = "ok"
    """Always `ok`."""


class Readiness(BaseSchema):
    """Which stores are available, how long each took to respond, and without which requests cannot be served."""

    status: Literal["ok", "degraded", "draining"]
    """`ok` if every store is available; `draining` if the process is about to end."""
    stores: dict[str, bool]
    """Whether each store is available."""
    latency_ms: dict[str, float]
    """How long each store took to respond."""
    required: list[str]
    """The stores that most requests need."""

    EXAMPLE: ClassVar = {
        "stores": {"postgres": True, "redis": True, "mongo": True, "s3": True},
        "latencyMs": {"postgres": 0.8, "redis": 0.4, "mongo": 1.2, "s3": 2.5},
        "required": ["postgres", "redis"],
    }


@router.get("/livez")
async def livez() -> Liveness:
    """Whether the process is running; checks no store."""
    return Liveness()


@router.get("/readyz", responses={503: {"model": Readiness, "headers": described("Retry-After")}})
async def readyz(resources: ResourcesDep, response: Response) -> Readiness:
    """Whether requests can be served: 503 if a required store is unavailable, or if the process is about to end.

    Without another store, it is degraded.
    """
    # Anybody may ask, as often as they like: those who ask at the same time share one check.
    health = await resources.single_flight.do("readyz", lambda: check_stores(resources))
    for name, store in health.items():
        if store.reason:
            report_outage(name, store.reason)
    available = {name: not store.reason for name, store in health.items()}
    required = [name for name in health if name in REQUIRED]
    if is_draining() or not all(available[name] for name in required):
        response.status_code = 503
        response.headers["Retry-After"] = "1"
    return Readiness(
        status="draining" if is_draining() else "ok" if all(available.values()) else "degraded",
        stores=available,
        latency_ms={name: store.milliseconds for name, store in health.items()},
        required=required,
    )


@router.get("/metrics", include_in_schema=False)
async def metrics(resources: ResourcesDep, authorization: Annotated[str, Header()] = "") -> Response:
    """Metrics in the Prometheus text format, for whoever has the token; without one, not in deployed environments."""
    settings = resources.settings
    if settings.app.metrics_token is None:
        if settings.ENVIRONMENT.is_deployed:
            raise NotFoundError
    elif not compare_digest(authorization.encode(), f"Bearer {settings.app.metrics_token.get_secret_value()}".encode()):
        raise UnauthorizedError
    shared = await resources.single_flight.do("metrics", lambda: read_shared_metrics(resources))
    return Response(generate_latest() + generate_latest(shared), media_type=CONTENT_TYPE_LATEST)
