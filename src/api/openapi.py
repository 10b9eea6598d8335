"""The OpenAPI document: what FastAPI generates, completed with what it does not know."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.encoders import jsonable_encoder
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from src.api.response_headers import COMPONENTS, described
from src.core.exceptions import AppError, InvalidInputError, declared_errors
from src.core.http_errors import FrameworkError
from src.schemas.response import ErrorResponse, ValidationErrorResponse
from src.utils.http_status import phrase_of
from src.utils.json_examples import JSON_VALUE, add_example, complete_examples

Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
_BEARER = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An `accessToken` or API key."}
_REFRESH_TOKEN = "X-Refresh-Token"  # noqa: S105 - a header
_RATE_LIMIT = "RateLimit-Policy", "RateLimit"


def operation_id(route: APIRoute) -> str:
    """The name of the route's function, for `generate_unique_id_function`."""
    return route.name


def install_openapi(app: FastAPI) -> None:
    """Complete the document that the application generates."""
    generate = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = complete(generate(), app.routes)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it


def complete(document: Json, routes: Iterable[BaseRoute]) -> Json:
    """Complete a document that FastAPI generated for these routes."""
    components = document["components"]
    components["responses"] = {}
    for operation, route in _operations(document, routes):
        limited = any("RateLimit" in error.headers for error in _general_errors(route))
        always = ("X-Request-ID", *_RATE_LIMIT) if limited else ("X-Request-ID",)
        for response in operation["responses"].values():
            response.setdefault("headers", {}).update(described(*always))
        _describe_errors(operation, route, components["responses"])
        if operation.setdefault("security", []):  # an alternative to the login of Swagger UI
            operation["security"].append({"BearerToken": []})
        for parameter in operation.get("parameters", ()):
            _complete_parameter(parameter, components["schemas"], str(route.path))
    components["securitySchemes"]["BearerToken"] = _BEARER
    components["headers"] = COMPONENTS
    components["schemas"] = _without_unused(components["schemas"]) | _error_schemas() | {"JsonValue": JSON_VALUE}
    complete_examples(components["schemas"])
    for schema in components["schemas"].values():
        _describe_defaults(schema)
    return _name_by_title(document)


def _complete_parameter(parameter: Json, schemas: Json, path: str) -> None:
    schema = parameter["schema"]
    parameter.setdefault("description", schema.get("description", ""))
    add_example(schema, schemas)
    if parameter["name"] == _REFRESH_TOKEN:
        # Optional for FastAPI, since a missing one is 401 and not 422; those who log in have none.
        parameter["required"] = path.endswith("/token/refresh")
        schema["type"] = "string"
        del schema["anyOf"]
    if parameter["required"] and "examples" in schema:  # Swagger UI fills it in; a filter would hide rows
        parameter["example"] = schema["examples"][0]


def _general_errors(route: RouteContext) -> Iterator[AppError]:
    """The errors of a route's dependencies, parameters and body."""
    dependant: Dependant = route.dependant
    for dependency in dependant.dependencies:
        for call in _calls(dependency):
            yield from declared_errors(call)
    if route.body_field:
        yield FrameworkError(HTTPException(400))
        yield FrameworkError(HTTPException(413))
    if route.body_field or _has_parameters(dependant):
        yield InvalidInputError("name", "Field required")


def _calls(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for dependency in dependant.dependencies:
        yield from _calls(dependency)


def _has_parameters(dependant: Dependant) -> bool:
    """Whether there are parameters that may be invalid; headers are strings."""
    return bool(dependant.path_params or dependant.query_params) or any(map(_has_parameters, dependant.dependencies))


def _operations(document: Json, routes: Iterable[BaseRoute]) -> Iterator[tuple[Json, RouteContext]]:
    """Each operation of the document, with its route."""
    for route in iter_route_contexts(list(routes)):
        operations = document["paths"].get(route.path, {})
        for method in route.methods or () if isinstance(route.original_route, APIRoute) else ():
            if method.lower() in operations:
                yield operations[method.lower()], route


def _describe_errors(operation: Json, route: RouteContext, shared: Json) -> None:
    """Add a response for each status of the route's errors, unless it documents that status itself.

    Responses without errors of the endpoint itself go to `shared`, by the names of their errors.
    """
    general, own = _by_status(_general_errors(route)), _by_status(declared_errors(route.endpoint))
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422")):  # FastAPI's own
        del responses["422"]
    for status in {*general, *own} - {*map(int, responses)}:
        response = _error_response(status, general.get(status, {}) | own.get(status, {}))
        if status not in own:
            name = "".join(error.title().replace(".", "").replace("_", "") for error in sorted(general[status]))
            shared[name] = response
            response = {"$ref": f"#/components/responses/{name}"}
        responses[str(status)] = response
    operation["responses"] = dict(sorted(responses.items()))


def _by_status(errors: Iterable[AppError]) -> dict[int, dict[str, AppError]]:
    """Errors by status and name."""
    found: dict[int, dict[str, AppError]] = defaultdict(dict)
    for error in errors:
        found[error.status].setdefault(error.error, error)
    return found


def _error_response(status: int, errors: Mapping[str, AppError]) -> Json:
    model = ValidationErrorResponse if status == HTTPStatus.UNPROCESSABLE_ENTITY else ErrorResponse
    named = {"type": "object", "properties": {"error": {"enum": sorted(errors)}}, "required": ["error"]}
    return {
        "description": phrase_of(status),
        "headers": described("X-Request-ID", *(name for error in errors.values() for name in error.headers)),
        "content": {
            "application/json": {
                "schema": {"allOf": [{"$ref": _SCHEMAS + model.__name__}, named]},
                "examples": {name: {"value": _example(error)} for name, error in errors.items()},
            }
        },
    }


def _example(error: AppError) -> Json:
    body = ErrorResponse(
        code=error.status,
        message=error.message,
        data=error.data,
        error=error.error,
        ts=1767225600,
        request_id="019b7700-0000-7000-8000-000000000000",
    )
    return body.model_dump(by_alias=True)


def _error_schemas() -> Json:
    models = [(ErrorResponse, "serialization"), (ValidationErrorResponse, "serialization")]
    _, definitions = models_json_schema(models, ref_template=_SCHEMAS + "{model}")  # type: ignore[arg-type]
    schemas: Json = jsonable_encoder(definitions["$defs"], exclude_none=True)
    return schemas


def _without_unused(schemas: Json) -> Json:
    """The schemas without those of FastAPI's own 422."""
    return {name: schema for name, schema in schemas.items() if name not in ("HTTPValidationError", "ValidationError")}


def _describe_defaults(schema: Json) -> None:
    """Move defaults to the descriptions: generators take a property with a default for one that is always there."""
    for part in (schema, *schema.get("oneOf", ())):
        for name, property_ in part.get("properties", {}).items():
            default = property_.pop("default", None)
            if default not in (None, "") and name not in part.get("required", ()):
                description = property_.get("description", "")
                property_["description"] = f"{description} By default `{json.dumps(default)}`.".strip()


def _name_by_title(document: Json) -> Json:
    """The document with its schemas named by their titles: pydantic composes other names for generic models."""
    schemas = document["components"]["schemas"]
    names = {name: schema["title"] for name, schema in schemas.items() if schema.get("title", "").isidentifier()}
    taken = [names.get(name, name) for name in schemas]
    names = {name: title for name, title in names.items() if taken.count(title) == 1}
    named = {names.get(name, name): schema for name, schema in schemas.items()}
    document["components"]["schemas"] = dict(sorted(named.items()))
    renamed: Json = _with_references(document, {_SCHEMAS + name: _SCHEMAS + title for name, title in names.items()})
    return renamed


def _with_references(node: Any, references: Mapping[str, str]) -> Any:
    """A copy with other references."""
    if isinstance(node, list):
        return [_with_references(item, references) for item in node]
    if isinstance(node, dict):
        return {key: _with_references(value, references) for key, value in node.items()}
    return references.get(node, node) if isinstance(node, str) else node
