"""The web application: REST and Socket.IO in one ASGI app, `src.main:app`."""

from src.core import fast_start  # first: it affects the imports below

# isort: split
import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial

import structlog
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from src.api import access, docs, health, openapi, response_headers
from src.api.asyncapi import install_asyncapi
from src.api.document_info import document_info
from src.api.v1.router import PREFIX, absent_paths, create_router
from src.console.serving import install_console
from src.core.config import Settings, settings
from src.core.logging import configure_logging
from src.core.outages import watching_stores
from src.core.resources import API_PROCESS, Resources, open_resources
from src.core.routing.index import RouteIndex
from src.core.routing.registry import RouteRegistry
from src.core.security.access import DECLARED
from src.core.shutdown.draining import draining
from src.core.shutdown.listeners import running_server, stop_accepting
from src.core.stores.errors import as_unavailable, missing_schema, summary
from src.core.telemetry import start_telemetry
from src.crud.user_factor import UserFactorCRUD
from src.deps.audit import audit_request
from src.deps.auth import require_session
from src.deps.logout import require_own_session
from src.deps.permission import require_permission
from src.middlewares.access_log import PROBES
from src.middlewares.errors import install_error_handlers
from src.middlewares.request import RequestMiddleware
from src.queues import load_app
from src.queues.publisher import create_outbox
from src.services.permission_code import PermissionCodeService
from src.services.process_reporter import reporting
from src.utils.docstring import first_line
from src.utils.password import dummy_hash
from src.websockets.app import create_server, describe
from src.websockets.emitter import SocketEmitter
from src.websockets.server import AsyncServer

log = structlog.get_logger(__name__)


def create_app(settings: Settings, server: AsyncServer) -> FastAPI:
    """Create the REST application and its lifespan; `server` emits its Socket.IO events."""
    debug = settings.ENVIRONMENT.has_docs

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        listening = running_server()  # first: what follows replaces signal handlers

        async def leave() -> None:
            await stop_accepting(listening)
            await server.close_transports()

        process = f"{API_PROCESS}{socket.gethostname()}:{os.getpid()}"
        async with open_resources(settings, create_outbox(load_app), SocketEmitter(server), process) as resources:
            await asyncio.gather(
                # The first login would otherwise wait for these.
                resources.hashing.run(lambda: (resources.credentials.kid, dummy_hash())),
                try_to_register(resources, app.state.registry),
            )
            async with reporting(resources):
                drain = draining(settings.app.drain_seconds, leave)
                with watching_stores(resources), server.closes_polls_early(), drain:
                    yield
            await server.shutdown()

    app = FastAPI(
        **document_info(settings),
        lifespan=lifespan,
        openapi_url="/openapi.json" if debug else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
        # Spans take 15 % of a small request: none unless they are asked for.
        telemetry={
            "tracing": settings.telemetry.tracing_enabled,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope["path"] in PROBES,
        },
    )
    app.include_router(health.router)
    # The prefix is passed here: otherwise FastAPI would build every route twice.
    app.include_router(create_router(settings), prefix=PREFIX)
    if settings.app.has_console:
        cookie = settings.auth.refresh_cookie_enabled
        install_console(app, storage=settings.s3.public_origin, restricted=not debug, cookie=cookie)
    if debug:
        openapi.install_openapi(app)
        docs.install_docs(app)
        install_asyncapi(app, partial(describe, server, settings))
    app.state.registry = create_registry(app, server, settings)
    app.router.routes.insert(0, RouteIndex(app.routes, absent_paths(settings)))
    install_middlewares(app, settings)
    return app


def create_registry(app: FastAPI, server: AsyncServer, settings: Settings) -> RouteRegistry:
    """Register the permission codes of routes and events, and check that each of them is guarded.

    Raises:
        RuntimeError: A route or event is neither guarded nor listed in `src/api/access.py`.
    """
    registry = RouteRegistry(app)
    for event in server.registered_events():
        if event.name not in ("connect", "disconnect"):
            guards = {call for call in (require_permission, require_session) if event.plan.depends_on(call)}
            registry.add_event(event.name, first_line(event.handler), guarded_by=guards)
    for code, description in DECLARED.items():
        registry.add_permission(code, description)
    registry.check_guards(
        permission=require_permission,
        sessions=(require_session, require_own_session),
        audit=audit_request,
        public=access.public_routes(settings),
        session_routes=access.session_routes(settings),
        outside=access.OUTSIDE,
    )
    return registry


def install_middlewares(app: FastAPI, settings: Settings) -> None:
    """Install the middlewares, innermost first. CORS is outside of errors, so that browsers can read those as well."""
    install_error_handlers(app, settings.app.request_timeout_seconds, settings.app.max_body_bytes)
    if settings.cors.origins or settings.cors.origins_regex:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors.origins,
            allow_origin_regex=settings.cors.origins_regex,
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=settings.cors.headers,
            expose_headers=[*response_headers.COMPONENTS],
        )
    app.add_middleware(RequestMiddleware, deployed=settings.ENVIRONMENT.is_deployed)


async def try_to_register(resources: Resources, registry: RouteRegistry) -> None:
    """Register the routes. While PostgreSQL is down, the process starts without that, and the next start does it."""
    try:
        await register_routes(resources, registry)
    except Exception as error:
        if reason := missing_schema(error):
            log.critical("cannot_start", reason=reason)
            os._exit(3)  # as uvicorn does, which would print the traceback first
        unavailable = as_unavailable(error)
        if unavailable is None:
            raise
        log.warning("routes_not_registered", store=unavailable.store, reason=summary(error))


async def register_routes(resources: Resources, registry: RouteRegistry) -> None:
    """Write the permission codes of the code to their table, and tell if second factors are off by mistake."""
    async with resources.unit_of_work() as uow:
        await PermissionCodeService(resources).register(uow, [asdict(route) for route in registry.grantable])
        if resources.settings.lacks_factor_key and await UserFactorCRUD(uow.session).are_in_use():
            log.error("factors_are_off", reason="Second factors are in use, and FACTOR_KEY is missing.")


configure_logging(settings)
settings.check_broker()
start_telemetry(settings, "api")
server = create_server(settings)
rest = create_app(settings, server)
app = server.asgi(rest)
fast_start.finish()
