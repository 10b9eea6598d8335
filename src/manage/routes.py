"""`manage.sh routes`: every route and event, who may call it, and which engine runs it."""

from src.manage.placeholders import use_placeholders
from src.manage.table import print_table


def show_routes() -> None:
    """List every route and event, its callers and its engine."""
    use_placeholders()
    from fastapi.routing import APIRoute, iter_route_contexts

    from src.core.injection.http import engine_of
    from src.main import rest

    engines = {
        f"{method}:{route.path_format}": engine_of(route)
        for route in iter_route_contexts(rest.routes)
        if isinstance(route.original_route, APIRoute)
        for method in route.methods or ()
    }
    registry = rest.state.registry
    rows: list[tuple[str, ...]] = []
    for route in registry.routes:
        engine = engines.pop(route.code, "compiled")
        rows.append((route.methods[0], route.path, route.code, str(registry.access_to(route.code)), engine))
    rows += [(*code.split(":", 1), "-", "public", engines[code]) for code in sorted(engines)]
    print_table(("METHOD", "PATH", "CODE", "CALLERS", "ENGINE"), rows)
