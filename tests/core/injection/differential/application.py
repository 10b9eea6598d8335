"""Builds the application of a blueprint; its functions write down what happens to them."""

import functools
import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import (
    BackgroundTasks,
    Depends,
    FastAPI,
    HTTPException,
    Response,
    Security,
    UploadFile,
)
from fastapi.security import SecurityScopes
from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

from tests.core.injection.differential.declarations import PARAMETERS
from tests.core.injection.differential.generator import Blueprint, Edge, Node


class Result(BaseModel):
    number: int
    tag: str | None = None
    named: str = Field("n", serialization_alias="as-named")


class Secretive(Result):
    secret: str = "hidden"


class BrokenError(Exception):
    """No handler knows it."""


RESPONSE_CLASSES = {"text": PlainTextResponse, "redirect": RedirectResponse}
RETURN_TYPES: dict[str, Any] = {
    "model": Result,
    "subclass": Result,
    "wrong": Result,
    "values": dict[str, Any],
    "list": list[Result],
    "nothing": None,
    "text": str,
}


class Builder:
    """Makes the functions of one application.

    Args:
        blueprint: What to make.
        trace: Where the functions write down what happens.
        failures: Names of functions, and what goes wrong in them; the tests change it between requests.
    """

    def __init__(self, blueprint: Blueprint, trace: list[str], failures: dict[str, str]) -> None:
        self.blueprint = blueprint
        self.trace = trace
        self.failures = failures
        self.functions: list[Any] = []
        for node in blueprint.nodes:
            self.functions.append(self.dependency(node))

    def build(self) -> FastAPI:
        app = FastAPI()
        options = dict(self.blueprint.options)
        if "response_class" in options:
            options["response_class"] = RESPONSE_CLASSES[options["response_class"]]
        app.add_api_route(
            "/things/{p}",
            self.handler(),
            methods=["POST"],
            dependencies=[self.depends(edge) for edge in self.blueprint.guards],
            **options,
        )
        for original, replacement in self.blueprint.overrides.items():
            app.dependency_overrides[self.functions[original]] = self.functions[replacement]
        return app

    def depends(self, edge: Edge) -> Any:
        function, cache = self.functions[edge.node], edge.use_cache
        if edge.scopes is None:
            return Depends(function, use_cache=cache, scope=edge.scope)
        return Security(function, scopes=edge.scopes, use_cache=cache)

    def signature(self, node: Node, returns: Any = inspect.Signature.empty) -> inspect.Signature:
        parameters = {}
        for kind in node.parameters:
            name, annotation, default = PARAMETERS[kind]
            parameters[name] = annotation, default
        for number, edge in enumerate(node.edges):
            depends = self.depends(edge)
            annotation = Any if edge.as_default else Annotated[Any, depends]
            parameters[f"d{number}"] = annotation, depends if edge.as_default else inspect.Parameter.empty
        return inspect.Signature(
            [
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
                for name, (annotation, default) in parameters.items()
            ],
            return_annotation=returns,
        )

    def enter(self, node: Node, values: dict[str, Any]) -> str:
        """What every function does first."""
        label = f"{node.name}.{len(self.trace)}"
        self.trace.append(f"{label} {show(values)}")
        if isinstance(values.get("response"), Response):
            values["response"].headers.append("x-node", node.name)
            if node.name == "n0":
                values["response"].status_code = 207
        if "background" in values:
            values["background"].add_task(self.trace.append, f"task of {label}")
        failure = self.failures.get(node.name)
        if failure == "raise":
            raise BrokenError(node.name)
        if failure == "http":
            raise HTTPException(418, node.name, {"x-failed": node.name})
        return label

    def leave(self, node: Node, label: str, error: BaseException | None) -> bool:
        """What every generator does last; True keeps an exception to itself."""
        self.trace.append(f"{label} closed, {type(error).__name__ if error else 'no error'}")
        failure = self.failures.get(node.name)
        if failure == "cleanup":
            raise BrokenError(f"cleanup of {node.name}")
        if failure == "cleanup http" or (failure == "replace" and error):
            raise HTTPException(419, f"cleanup of {node.name}")
        return failure == "swallow"

    def dependency(self, node: Node) -> Any:
        function = getattr(self, "make_" + node.kind.replace(" ", "_"))(node)
        function.__signature__ = self.signature(node)
        return function

    def make_async(self, node: Node) -> Any:
        async def function(**values: Any) -> Any:
            return self.enter(node, values)

        return function

    def make_sync(self, node: Node) -> Any:
        def function(**values: Any) -> Any:
            return self.enter(node, values)

        return function

    def make_async_generator(self, node: Node) -> Any:
        async def function(**values: Any) -> AsyncIterator[Any]:
            label = self.enter(node, values)
            try:
                yield label
            except Exception as error:
                if not self.leave(node, label, error):
                    raise
            else:
                self.leave(node, label, None)

        return function

    def make_sync_generator(self, node: Node) -> Any:
        def function(**values: Any) -> Iterator[Any]:
            label = self.enter(node, values)
            try:
                yield label
            except Exception as error:
                if not self.leave(node, label, error):
                    raise
            else:
                self.leave(node, label, None)

        return function

    def make_class(self, node: Node) -> Any:
        builder = self

        class Made:
            def __init__(self, **values: Any) -> None:
                self.label = builder.enter(node, values)

            def __repr__(self) -> str:
                return self.label

        return Made

    def make_async_object(self, node: Node) -> Any:
        builder = self

        class Called:
            async def __call__(self, **values: Any) -> Any:
                return builder.enter(node, values)

        return Called()

    def make_sync_object(self, node: Node) -> Any:
        builder = self

        class Called:
            def __call__(self, **values: Any) -> Any:
                return builder.enter(node, values)

        return Called()

    def make_wrapped(self, node: Node) -> Any:
        function = self.make_async(node)

        @functools.wraps(function)
        def wrapper(**values: Any) -> Any:
            return function(**values)

        return wrapper

    def handler(self) -> Any:
        node, returns = self.blueprint.handler, self.blueprint.returns

        def respond(values: dict[str, Any]) -> Any:
            self.enter(node, values)
            return result(returns, show(values), self.trace)

        async def asynchronous(**values: Any) -> Any:
            return respond(values)

        def synchronous(**values: Any) -> Any:
            return respond(values)

        function: Any = asynchronous if node.kind == "async" else synchronous
        function.__signature__ = self.signature(node, RETURN_TYPES.get(returns, inspect.Signature.empty))
        return function


def result(returns: str, values: dict[str, str], trace: list[str]) -> Any:
    """What a handler returns."""
    background = BackgroundTasks()
    background.add_task(trace.append, "task of the response")
    made: dict[str, Any] = {
        "model": Result(number=1),
        "subclass": Secretive(number=1, tag="t"),
        "wrong": {"number": "one"},
        "values": values,
        "list": [Secretive(number=1), Secretive(number=2)],
        "nothing": None,
        "text": repr(sorted(values.items())),
        "redirect": "/elsewhere",
        "response": JSONResponse(values, 299, {"x-own": "1"}),
        "response with tasks": JSONResponse(values, background=background),
    }
    return made[returns]


def show(values: dict[str, Any]) -> dict[str, str]:
    """Values as text that is the same in both applications."""
    return {name: _show(value) for name, value in sorted(values.items())}


def _show(value: Any) -> str:
    if isinstance(value, SecurityScopes):
        return value.scope_str
    if isinstance(value, UploadFile):
        return f"{value.filename} {value.size}"
    if isinstance(value, (HTTPConnection, Response, BackgroundTasks)):
        return type(value).__name__
    return repr(value)
