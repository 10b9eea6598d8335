"""A route class whose routes are read where they are included, and are then those that FastAPI would make."""

import inspect
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.responses import PlainTextResponse
from fastapi.routing import APIRoute, iter_route_contexts

from src.api.audited_route import AuditedRoute

OPTIONS: dict[str, Any] = {
    "status_code": 202,
    "tags": ["Things"],
    "summary": "A thing",
    "description": "One thing.",
    "response_description": "The thing.",
    "responses": {404: {"description": "There is none."}},
    "deprecated": True,
    "operation_id": "thing",
    "response_model": dict[str, int],
    "response_model_exclude_none": True,
    "response_model_include": {"a"},
    "include_in_schema": False,
    "response_class": PlainTextResponse,
    "name": "one thing",
    "openapi_extra": {"x-thing": True},
    "max_body_size": 7,
    "form_limits": {"max_fields": 3},
}
DIFFERENT = {"original_route", "app", "dependant", "response_field", "endpoint", "dependencies"}
DIFFERENT |= {"dependency_overrides_provider"}
"""What differs between any two routes of two applications."""


class Counting:
    """A dependency that counts how often its signature is read."""

    reads = 0

    @property
    def __signature__(self) -> inspect.Signature:
        self.reads += 1
        return inspect.Signature()

    async def __call__(self) -> None:
        """Do nothing."""


def included(route_class: type[APIRoute], guard: Counting, **options: Any) -> dict[str, Any]:
    """What FastAPI knows of a route of this class that an application includes."""
    router, app = APIRouter(prefix="/things", route_class=route_class), FastAPI()

    @router.get("/{number}", dependencies=[Depends(guard)], **options)
    async def get_thing(number: int, size: Annotated[int, Query(gt=0)] = 1) -> dict[str, int]:
        """A thing."""
        return {"a": number * size}

    app.include_router(router, prefix="/all")
    context = next(route for route in iter_route_contexts(app.routes) if str(route.path).startswith("/all"))
    assert context._route_context is not None
    return vars(context._route_context)


def test_signatures_are_read_once() -> None:
    ours, stock = Counting(), Counting()
    included(AuditedRoute, ours)
    included(APIRoute, stock)
    assert 0 < 2 * ours.reads == stock.reads


@pytest.mark.parametrize("options", [{}, OPTIONS], ids=["defaults", "options"])
def test_an_included_route_is_the_same(options: dict[str, Any]) -> None:
    ours, stock = (included(route_class, Counting(), **options) for route_class in (AuditedRoute, APIRoute))
    assert {name: ours[name] for name in ours.keys() - DIFFERENT} == {
        name: stock[name] for name in stock.keys() - DIFFERENT
    }
    assert ours["original_route"].form_limits == stock["original_route"].form_limits
    assert [type(guard.call) for guard in ours["dependant"].dependencies] == [Counting]
