"""Dependency injection: a handler is compiled once into a plan, which runs for every request, event or task.

    signature → Dependency (tree) → Plan (list of calls) → values, one after the other → result
         EntryPoint                     compile_plan            Plan.run

An *entry point* says what it can supply and what happens to the result. Handlers and dependencies are written as for
FastAPI and are the same objects everywhere; they run in FastAPI's order, `dependency_overrides` included.

    TASKS = EntryPoint()                                  # unmarked parameters are the caller's arguments
    plan = compile_plan(function, TASKS)                  # at registration; raises UnresolvableParameterError
    result = await plan.run(args, kwargs)                 # each time; generators are closed when it returns

HTTP is in `http`: `compile_route` and `engine_of`. `@on_loop` keeps a quick synchronous dependency out of a thread.
"""

from src.core.injection.arguments import NativeArguments, ValidatedArguments
from src.core.injection.compiler import compile_plan
from src.core.injection.entry_point import EntryPoint
from src.core.injection.errors import FieldError, PayloadError, UnresolvableParameterError
from src.core.injection.invoke import on_loop
from src.core.injection.parameters import EMPTY, Special, read_return
from src.core.injection.plan import Plan

__all__ = [
    "EMPTY",
    "EntryPoint",
    "FieldError",
    "NativeArguments",
    "PayloadError",
    "Plan",
    "Special",
    "UnresolvableParameterError",
    "ValidatedArguments",
    "compile_plan",
    "on_loop",
    "read_return",
]
