"""The kinds of parameters that generated functions take, by the names of the generator."""

import inspect
from typing import Annotated, Any

from fastapi import BackgroundTasks, Body, Cookie, File, Form, Header, Path, Query, Request, Response, UploadFile
from fastapi.security import SecurityScopes
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection


class Item(BaseModel):
    number: int
    tag: str | None = None


class Filters(BaseModel):
    limit: int = Field(10, ge=1)
    order: list[str] = []


class Seen(BaseModel):
    x_seen: int = 0
    x_many: list[str] = []


class Crumbs(BaseModel):
    theme: str = "light"
    size: int = 1


PARAMETERS: dict[str, tuple[str, Any, Any]] = {
    "query": ("q", Annotated[int, Query(ge=1)], 1),
    "query required": ("wanted", int, inspect.Parameter.empty),
    "query list": ("many", Annotated[list[int], Query()], []),
    "query alias": ("renamed", Annotated[str | None, Query(alias="re-named", max_length=5)], None),
    "header": ("user_agent", Annotated[str | None, Header()], None),
    "header required": ("x_count", Annotated[int, Header()], inspect.Parameter.empty),
    "cookie": ("crumb", Annotated[int, Cookie()], 0),
    "path": ("p", Annotated[int, Path(le=100)], inspect.Parameter.empty),
    "query model": ("filters", Annotated[Filters, Query()], inspect.Parameter.empty),
    "header model": ("seen", Annotated[Seen, Header()], inspect.Parameter.empty),
    "cookie model": ("crumbs", Annotated[Crumbs, Cookie()], inspect.Parameter.empty),
    "request": ("request", Request, inspect.Parameter.empty),
    "connection": ("connection", HTTPConnection, inspect.Parameter.empty),
    "response": ("response", Response, inspect.Parameter.empty),
    "background": ("background", BackgroundTasks, inspect.Parameter.empty),
    "security scopes": ("security_scopes", SecurityScopes, inspect.Parameter.empty),
    "body model": ("item", Item, inspect.Parameter.empty),
    "body model embedded": ("embedded", Annotated[Item, Body(embed=True)], inspect.Parameter.empty),
    "body scalar": ("scalar", Annotated[int, Body(gt=0)], inspect.Parameter.empty),
    "body optional": ("optional", Item | None, None),
    "body list": ("items", list[Item], inspect.Parameter.empty),
    "form": ("field", Annotated[int, Form()], inspect.Parameter.empty),
    "form list": ("fields", Annotated[list[str], Form()], []),
    "form model": ("form", Annotated[Item, Form()], inspect.Parameter.empty),
    "file": ("file", Annotated[UploadFile | None, File()], None),
}
