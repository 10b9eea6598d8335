"""HTTP as an entry point: what FastAPI's `Dependant` says of signatures, which it has read already."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant

from src.core.injection.arguments import Arguments, NativeArguments
from src.core.injection.dependency import CONNECTION, Dependency, Supplied
from src.core.injection.errors import UnsupportedDependencyError
from src.core.injection.fields import Fields

RESPONSE = "response"
"""The special whose headers and status code go into the response."""

BACKGROUND_TASKS = "background_tasks"
"""The special that collects tasks to run after the response."""


@dataclass(frozen=True, slots=True)
class DependantReader:
    """Reads the dependencies of one route.

    Attributes:
        path: Its template; names in it are path parameters.
        embed_body: Whether each body parameter of the route is a key of its body.
        arguments: An HTTP handler has no unmarked parameters: FastAPI finds a source for each.
    """

    path: str
    embed_body: bool
    arguments: type[Arguments] = NativeArguments

    def read(self, dependant: Dependant) -> Dependency:
        """Convert a tree of dependants.

        Raises:
            UnsupportedDependencyError: Some part of it only runs on FastAPI's engine.
        """
        call = dependant.call
        assert call is not None  # noqa: S101 - FastAPI sets it for every dependency and endpoint
        if dependant.concurrency is not None:
            raise UnsupportedDependencyError("max_concurrency")
        if dependant.websocket_param_name is not None:
            raise UnsupportedDependencyError("a WebSocket parameter")
        specials = (
            (dependant.http_connection_param_name, CONNECTION),
            (dependant.request_param_name, CONNECTION),
            (dependant.background_tasks_param_name, BACKGROUND_TASKS),
            (dependant.response_param_name, RESPONSE),
        )
        own, above = dependant.own_oauth_scopes or (), dependant.parent_oauth_scopes or ()
        return Dependency(
            call=call,
            name=dependant.name,
            dependencies=tuple(map(self.read, dependant.dependencies)),
            inputs=tuple((name, Supplied(special)) for name, special in specials if name is not None),
            fields=self._fields(dependant),
            takes_scopes=dependant.security_scopes_param_name,
            use_cache=dependant.use_cache,
            scope=dependant.scope,
            security_scopes=(*above, *(scope for scope in dict.fromkeys(own) if scope not in above)),
            adds_security_scopes=bool(own),
        )

    def read_override(self, original: Dependency, call: Callable[..., Any]) -> Dependency:
        """Read what runs in place of a dependency, as FastAPI does for each request."""
        dependant = get_dependant(
            path=self.path,
            call=call,
            name=original.name,
            parent_oauth_scopes=list(original.security_scopes),
            scope=original.scope,
        )
        return self.read(dependant)

    def _fields(self, dependant: Dependant) -> Fields | None:
        path, query = dependant.path_params, dependant.query_params
        header, cookie, body = dependant.header_params, dependant.cookie_params, dependant.body_params
        if not (path or query or header or cookie or body):
            return None
        return Fields(path=path, query=query, header=header, cookie=cookie, body=body, embed_body=self.embed_body)
