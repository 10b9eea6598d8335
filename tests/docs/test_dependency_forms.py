"""The table of docs/socket-handlers.md that says which parameters work in events: each row is tried."""

import re
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import fastapi
import pytest
from fastapi import Query
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from pydantic import BaseModel, Field

from src.core.injection import UnresolvableParameterError
from src.websockets import params
from src.websockets.compiled_event import compile_event
from tests.docs.readme import ROOT

PAGE = (ROOT / "docs/socket-handlers.md").read_text()
TABLE = PAGE.partition("| parameter | in an event |")[2].partition("\n\n")[0]
ROWS = re.findall(r"^\| `(.+?)` \| (.+) \|$", TABLE, re.MULTILINE)
WORKING = [form for form, answer in ROWS if not answer.startswith("refused")]
REFUSED = [form for form, answer in ROWS if answer.startswith("refused")]
REPLACEMENTS = re.findall(r"(?:write|take|value,) `(\w+: [^`]+)`", "\n".join(answer for _, answer in ROWS))


class Model(BaseModel):
    page: int = 1


class Class:
    def __init__(self, agent: Annotated[int, Query()] = 1) -> None: ...


def page(limit: int = 10) -> int:
    return limit


def f(scopes: SecurityScopes, limit: Annotated[int, Query()] = 10) -> None: ...


NAMES: dict[str, Any] = {
    **vars(fastapi),
    **vars(params),
    **{each.__name__: each for each in (Sequence, Field, OAuth2PasswordBearer, SecurityScopes)},
    **{each.__name__: each for each in (Model, Class, page, f, partial)},
    "Annotated": Annotated,
    "Any": Any,
}


def handler(form: str) -> Any:
    """A handler with one parameter."""
    scope = dict(NAMES)
    exec(f"async def handler({form}): ...", scope)  # noqa: S102 - the row of a document
    return scope["handler"]


def dependent(form: str) -> Any:
    """A handler whose dependency has the parameter."""
    scope = dict(NAMES)
    argument = "data: Model, " if form.startswith("data") else "count: int, " if form.startswith("count") else ""
    source = (
        f"def dependency({form}): ...\nasync def handler({argument}value: Annotated[Any, Depends(dependency)]): ..."
    )
    exec(source, scope)  # noqa: S102 - the row of a document
    return scope["handler"]


def test_the_table_has_both() -> None:
    assert len(WORKING) == 10
    assert len(REFUSED) == 9


@pytest.mark.parametrize("form", WORKING)
def test_it_works(form: str) -> None:
    compile_event("event", "/", handler(form))


@pytest.mark.parametrize("form", [form for form in WORKING if not form.startswith("count")])
def test_it_works_in_a_dependency(form: str) -> None:
    compile_event("event", "/", dependent(form))


@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.parametrize("place", [handler, dependent])
def test_it_is_refused(form: str, place: Any) -> None:
    with pytest.raises(UnresolvableParameterError):
        compile_event("event", "/", place(form))


@pytest.mark.parametrize("form", REPLACEMENTS)
def test_the_replacement_works(form: str) -> None:
    compile_event("event", "/", handler(form))


def test_a_partial_is_a_dependency() -> None:
    compile_event("event", "/", handler("value: Annotated[Any, Depends(partial(page, limit=5))]"))
