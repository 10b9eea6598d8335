"""FastAPI publishes no way to run a route's dependencies; these names and scope keys are what `core/injection` uses.

`tests/core/injection/differential` compares the results with FastAPI's own.
"""

from tests.foreign.internal import Internal

FIELDS = ("src/core/injection/fields.py",)
ENGINE = ("src/core/injection/http/engine.py",)
DEPENDANT = ("src/core/injection/http/dependant.py",)
UTILS = "fastapi.dependencies.utils"

INTERNALS = [
    Internal(UTILS, "analyze_param", "Reads the declaration of a query parameter, header or cookie.", FIELDS,
             "(*, param_name, annotation, value, path_param_names)"),
    Internal(UTILS, "request_params_to_args", "Validates parameters, with FastAPI's errors.", FIELDS,
             "(fields, received_params)"),
    Internal(UTILS, "request_body_to_args", "Validates the parts of a body, with FastAPI's errors.", FIELDS,
             "(body_fields, received_body, embed_body_fields)"),
    Internal(UTILS, "get_dependant", "Reads what `dependency_overrides` put in the place of a dependency.", DEPENDANT,
             "(*, path, call, name=None, own_oauth_scopes=None, parent_oauth_scopes=None, use_cache=True, scope=None, "
             "concurrency=None)"),
    Internal("fastapi.routing", "request_response", "Sends a response, and closes the generators.", ENGINE, "(func)"),
    Internal("starlette._exception_handler", "wrap_app_handling_exceptions",
             "Runs the exception handlers with the same request.", ENGINE, "(app, conn)"),
    Internal("fastapi.routing:_EffectiveRouteContext", "_embed_body_fields",
             "Whether each body parameter is a key of the body.", ENGINE),
]  # fmt: skip
