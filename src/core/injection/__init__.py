"""Dependency injection that compiles a handler's signature once and then only runs the plan.

A *door* (the Socket.IO server, the Celery app) says what it can supply, compiles each handler when it is registered and
runs the plan for every event or task. Handlers and dependencies are written as for FastAPI, and are the same objects:

    TASKS = EntryPoint()                                        # unmarked parameters are the task's own arguments
    plan = compile_plan(function, TASKS)                  # at registration; raises UnresolvableParameterError
    result = await plan.run(args, kwargs)                 # each time; generators are closed when it returns

    EVENTS = EntryPoint(specials=frozenset({"sid"}), connection=True, arguments=ValidatedArguments)
    SID = Annotated[str, Special("sid")]
    await compile_plan(handler, EVENTS).run(payload, specials={"sid": sid}, connection=make_request)

`plan.signature` holds the unmarked parameters alone (what a caller passes), `plan.injects` tells whether anything else
is there, and `plan.depends_on(call)` whether a callable is part of the tree. `@on_loop` keeps a quick synchronous
dependency out of the thread pool.
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
