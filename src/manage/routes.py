"""`manage.sh routes`: every route and event, who may call it, and which engine runs it."""

from src.manage.placeholders import use_placeholders
from src.manage.table import print_table


def show_routes() -> None:
    """List every route and Socket.IO event, who may call it, and which engine runs it."""
    use_placeholders()
    from fastapi.routing import APIRoute, iter_route_contexts

    from src.api import access
    from src.core.config import settings
    from src.core.injection.http import engine_of
    from src.main import rest

    engines = {
        f"{method}:{route.path_format}": engine_of(route)
        for route in iter_route_contexts(rest.routes)
        if isinstance(route.original_route, APIRoute)
        for method in route.methods or ()
    }
    public = access.public_routes(settings)
    rows: list[tuple[str, ...]] = []
    for route in rest.state.registry.routes:
        callers = "any login" if route.code in access.SELF_SERVICE else "permission"
        callers = "public" if route.code in public else callers
        rows.append((route.methods[0], route.path, route.code, callers, engines.get(route.code, "compiled")))
    known = {row[2] for row in rows}
    outside = sorted(code for code in engines if code not in known)
    rows += [(*code.split(":", 1), "-", "public", engines[code]) for code in outside]
    print_table(("METHOD", "PATH", "CODE", "CALLERS", "ENGINE"), rows)
