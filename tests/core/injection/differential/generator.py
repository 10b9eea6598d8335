"""Generates applications: one route each, with dependencies, parameters and options drawn by a seed."""

import random
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["async", "sync", "async generator", "sync generator", "class", "async object", "sync object", "wrapped"]
KINDS: list[Kind] = [
    "async", "async", "async", "sync", "async generator", "async generator", "sync generator", "class", "async object",
    "sync object", "wrapped",
]  # fmt: skip

# What may go wrong in a function, besides what is wrong with the request.
FAILURES = ["raise", "http", "cleanup", "cleanup http", "swallow", "replace"]

READS = ["query", "query required", "query list", "query alias", "header", "header required", "cookie", "path"]
MODELS = ["query model", "header model", "cookie model"]
OBJECTS = ["request", "connection", "response", "background"]
BODIES = ["body model", "body model embedded", "body scalar", "body optional", "body list"]
FORMS = ["form", "form list", "form model", "file"]


@dataclass
class Edge:
    """One use of a dependency."""

    node: int
    use_cache: bool
    scope: Literal["function", "request"] | None
    scopes: list[str] | None
    named: bool
    as_default: bool


@dataclass
class Node:
    """One function."""

    name: str
    kind: Kind
    parameters: list[str] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


@dataclass
class Blueprint:
    """One application.

    Attributes:
        nodes: Dependencies; each needs only those before it.
        handler: The handler.
        guards: Dependencies of the route without a parameter.
        returns: What the handler returns.
        options: Of the route.
        overrides: Dependencies that are replaced, and by which others.
    """

    nodes: list[Node]
    handler: Node
    guards: list[Edge]
    returns: str
    options: dict[str, Any]
    overrides: dict[int, int]


RETURNS: list[tuple[str, dict[str, Any]]] = [
    ("model", {}),
    ("model", {"status_code": 201}),
    ("subclass", {}),
    ("subclass", {"response_model_exclude": {"tag"}}),
    ("subclass", {"response_model_include": {"number"}}),
    ("model", {"response_model_exclude_unset": True}),
    ("model", {"response_model_exclude_defaults": True}),
    ("model", {"response_model_exclude_none": True}),
    ("model", {"response_model_by_alias": False}),
    ("values", {}),
    ("values", {"response_model": None}),
    ("list", {}),
    ("nothing", {"status_code": 204}),
    ("nothing", {}),
    ("text", {"response_class": "text"}),
    ("redirect", {"response_class": "redirect"}),
    ("response", {}),
    ("response with tasks", {}),
    ("wrong", {}),
]


def generate(seed: int) -> Blueprint:
    """Draw an application."""
    draw = random.Random(seed)  # noqa: S311 - it is to be the same in every run
    body = draw.choice(["none", "none", "body", "body", "form"])
    nodes: list[Node] = []
    for number in range(draw.randint(0, 6)):
        nodes.append(_node(draw, f"n{number}", draw.choice(KINDS), nodes, body, share=0.25))
    handler = _node(draw, "handler", draw.choice(["async", "async", "sync"]), nodes, body, share=0.7)
    guards = [_edge(draw, nodes, None, named=False) for _ in range(draw.randint(0, 2))] if nodes else []
    returns, options = draw.choice(RETURNS)
    overrides = {}
    if len(nodes) > 1 and draw.random() < 0.4:
        for original in draw.sample(range(1, len(nodes)), draw.randint(1, len(nodes) - 1)):
            overrides[original] = draw.randrange(original)
    return Blueprint(nodes, handler, guards, returns, options, overrides)


def _node(draw: random.Random, name: str, kind: Kind, nodes: list[Node], body: str, share: float) -> Node:
    node = Node(name, kind)
    node.edges = [_edge(draw, nodes, node) for _ in range(draw.randint(0, 3))] if nodes else []
    choices = READS * 2 + OBJECTS * 2 + ["security scopes"]
    node.parameters = [draw.choice(choices) for _ in range(draw.randint(0, 3))]
    if draw.random() < 0.15:
        # A model takes all of its source, so that another parameter of the same source would be a key of it.
        node.parameters.append(draw.choice(MODELS))
    if body != "none" and draw.random() < share:
        node.parameters += draw.sample(BODIES if body == "body" else FORMS, draw.randint(1, 2))
    return node


def _edge(draw: random.Random, nodes: list[Node], parent: Node | None, *, named: bool = True) -> Edge:
    node = draw.randrange(len(nodes))
    scope: Any = draw.choice([None, None, "function", "request"])
    if scope == "function" and parent is not None and "generator" in parent.kind:
        scope = None  # FastAPI refuses it for a generator that may be closed later
    scopes = draw.sample(["read", "write", "admin"], draw.randint(0, 2)) if draw.random() < 0.3 else None
    return Edge(node, draw.random() < 0.8, scope, scopes, named, named and draw.random() < 0.3)
