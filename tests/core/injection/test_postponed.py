"""The whole module postpones its annotations."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from fastapi import Depends, Request
from pydantic import BaseModel

from src.core.injection import EntryPoint, Special, ValidatedArguments, compile_plan

pytestmark = pytest.mark.unit

CLIENT = EntryPoint(specials=frozenset({"sid"}), connection=True, arguments=ValidatedArguments)
SID = Annotated[str, Special("sid")]


class Message(BaseModel):
    text: str


async def path(request: Request) -> str:
    return request.url.path


async def handler(message: Message, sid: SID, path: Annotated[str, Depends(path)], count: int | None = None) -> Any:
    return [message, sid, path, count]


class TestPostponedAnnotations:
    async def test_are_resolved_when_the_handler_is_registered(self) -> None:
        plan = compile_plan(handler, CLIENT)
        scope = {"type": "http", "method": "GET", "path": "/a", "query_string": b"", "headers": [], "server": ("a", 1)}
        values = await plan.run([{"text": "hi"}, "2"], specials={"sid": "s"}, connection=lambda: Request(scope))
        assert values == [Message(text="hi"), "s", "/a", 2]
