"""HTTP routes on the resolver: the same signatures, responses and errors as from FastAPI, with less work per request.

    route's Dependant → Dependency (tree) → Plan          at start, by compile_route
    request → body → Plan.execute → result → response     for each request

`compile_route(route)` returns the ASGI application of a route; `engine_of(route)` tells which engine runs it: this one,
or FastAPI's, and why. FastAPI keeps the routes that stream what they yield, and the few features in `engine.py`.
"""

from src.core.injection.http.engine import compile_route, engine_of

__all__ = ["compile_route", "engine_of"]
