"""Dependencies of an event run, share values and close as those of an HTTP request do.

The same generated functions are called by FastAPI for a request, and by a plan for an event with the same connection.
"""

import dataclasses
import random

import pytest
from fastapi import HTTPException, Request

from src.core.injection import EntryPoint, PayloadError, compile_plan
from tests.core.injection.differential.application import BrokenError, Builder
from tests.core.injection.differential.exchange import Call, send
from tests.core.injection.differential.generator import FAILURES, READS, Blueprint, Edge, Node, generate
from tests.core.injection.differential.test_generated import HEADERS, QUERY

pytestmark = pytest.mark.unit

EVENT = EntryPoint(connection=True)
# What a parameter has to be marked as, or typed as, to mean the same for both.
SHARED = {*READS, "query model", "header model", "cookie model", "request", "connection", "security scopes"}
SHARED -= {"query required", "path"}


def shareable(blueprint: Blueprint) -> Blueprint:
    """The blueprint without what only HTTP has."""

    def reduced(node: Node) -> Node:
        return dataclasses.replace(node, parameters=[name for name in node.parameters if name in SHARED])

    def cached(edge: Edge) -> Edge:
        return dataclasses.replace(edge, use_cache=True)  # FastAPI ignores `use_cache=False` of a route's dependencies

    return dataclasses.replace(
        blueprint,
        nodes=[reduced(node) for node in blueprint.nodes],
        handler=reduced(blueprint.handler),
        guards=[cached(edge) for edge in blueprint.guards],
        returns="values",
        options={},
    )


class Both:
    """One generated application, and its handler as that of an event."""

    def __init__(self, seed: int) -> None:
        blueprint = shareable(generate(seed))
        self.names = [*(node.name for node in blueprint.nodes), "handler"]
        self.failures: dict[str, str] = {}
        self.traces: tuple[list[str], list[str]] = ([], [])
        self.http = Builder(blueprint, self.traces[0], self.failures).build()
        event = Builder(blueprint, self.traces[1], self.failures)
        self.plan = compile_plan(
            event.handler(), EVENT, dependencies=[event.depends(edge) for edge in blueprint.guards]
        )
        self.overrides = {event.functions[old]: event.functions[new] for old, new in blueprint.overrides.items()}

    async def compare(self, query: str) -> None:
        outcome = await send(self.http, Call("POST", f"/things/7?{query}", HEADERS), self.traces[0])
        scope = {"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "path_params": {}}
        scope["headers"] = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
        self.traces[1].clear()
        raised: Exception | None = None
        try:
            await self.plan.run(connection=lambda: Request(scope), overrides=self.overrides)
        except Exception as error:
            raised = error
        assert isinstance(raised, PayloadError) == (outcome.status == 422)
        assert isinstance(raised, (BrokenError, HTTPException)) == (
            outcome.status in (418, 419) or bool(outcome.raised)
        )
        assert plain(self.traces[1]) == plain(outcome.trace)


def plain(trace: list[str]) -> list[str]:
    """Without the response, and the error that is only ours or FastAPI's."""
    trace = [line.partition(".")[0] + line[line.find(" ") :] for line in trace if line != "response started"]
    return [line.replace("PayloadError", "RequestValidationError") for line in trace]


@pytest.mark.parametrize("seed", range(200))
async def test_an_event_runs_as_a_request_does(seed: int) -> None:
    both = Both(seed)
    draw = random.Random(seed)  # noqa: S311 - it is to be the same in every run
    await both.compare(QUERY)
    await both.compare("q=0&many=x&limit=0&re-named=toolong")
    for _ in range(4):
        failing = draw.choice(both.names)
        both.failures[failing] = draw.choice([failure for failure in FAILURES if failure != "swallow"])
        await both.compare(QUERY)
        both.failures.clear()
