import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar, Unpack, cast

from celery import Task as CeleryTask
from celery._state import _task_stack  # type: ignore[attr-defined]  # missing from the stubs
from celery.exceptions import Retry
from celery.result import AsyncResult
from pydantic import BaseModel

from src.core.injection import EntryPoint, compile_plan
from src.queues.options import SendOptions, Signature, SignatureFactory
from src.queues.pool.event_loop import process_loop
from src.queues.pool.identity import called_by_celery, current_run, stack_identity, waits_for_coroutines
from src.queues.pool.task_execution import raise_if_abandoned
from src.queues.publisher_thread import publisher_thread
from src.queues.retry import defer, retrying, send_deferred

P = ParamSpec("P")
R = TypeVar("R")
Called = TypeVar("Called")
CoroutineFunction = Callable[..., Coroutine[Any, Any, Any]]

TASKS = EntryPoint()

_task_stack.__ident_func__ = stack_identity


class AsyncTask(CeleryTask[P, R], Generic[P, R, Called]):
    """A task whose function may be a coroutine function.

    The coroutine runs on the worker process's event loop while Celery's tracer waits for it, so retries, time limits,
    acknowledgements, results and signals work as for any task. Calling the task directly returns the coroutine.
    `Depends` parameters are resolved in the worker; callers do not pass them.

    Attributes:
        requires: The permission code that users need to start the task; None: internal, no user can start it.
    """

    abstract = True
    is_async: ClassVar[bool] = False
    requires: ClassVar[str | None] = None
    __header__: ClassVar[Any]

    if TYPE_CHECKING:
        # Options of the decorator that the stubs leave out.
        queue: ClassVar[str | None]
        autoretry_for: ClassVar[Sequence[type[Exception]]]
        unique_by: ClassVar[str | Sequence[str] | None]

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Called:  # type: ignore[override]  # may be a coroutine
            """Call the function directly."""

        @property
        def s(self) -> SignatureFactory[P, R]:
            """Create a signature, for a workflow."""

        def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
            """Create a signature that takes no result of another task."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        run: Any = cls.__dict__.get("run")
        bound = not isinstance(run, staticmethod)
        function = run if bound else run.__func__
        if cls.__dict__.get("_dump_pydantic_arguments") and inspect.iscoroutinefunction(inspect.unwrap(function)):
            function = _dump_result(function)
        if inspect.iscoroutinefunction(function):
            cls._bridge(function, bound)
        elif function is not None:
            if function.__module__ == "celery.app.builtins":  # `map`, `starmap` and `chunks` call other tasks
                function = waits_for_coroutines(function)
            end_if_abandoned = _end_if_abandoned(function)
            cls.run = end_if_abandoned if bound else staticmethod(end_if_abandoned)  # type: ignore[method-assign]

    @classmethod
    def _bridge(cls, function: CoroutineFunction, bound: bool) -> None:
        """Replace `run` with a synchronous method that waits for the coroutine."""
        signature = inspect.signature(function)
        call = function
        if not _is_variadic(signature) and (plan := compile_plan(function, TASKS)).injects:
            signature, call = plan.signature, lambda *args, **kwargs: plan.run(args, kwargs)
            head = _without_self(signature) if bound else signature
            cls.__header__ = staticmethod(_header(head, bound))

        @functools.wraps(function)
        def run(self: AsyncTask[..., Any, Any], *args: Any, **kwargs: Any) -> Any:
            coroutine = call(self, *args, **kwargs) if bound else call(*args, **kwargs)
            request = self.request
            running = current_run.get()
            is_nested = request.called_directly or (running is not None and running[1] == request.id)
            if is_nested and not called_by_celery.get():
                return coroutine
            token = current_run.set((stack_identity(), request.id))
            caller = called_by_celery.set(False)
            try:
                return process_loop.run(coroutine)
            except Retry as retry:
                send_deferred(retry)
                raise
            finally:
                called_by_celery.reset(caller)
                current_run.reset(token)

        # `Task.retry` binds its arguments to this signature.
        run.__signature__ = signature if bound else _with_self(signature)  # type: ignore[attr-defined]  # read by `inspect`
        cls.is_async = True
        cls.run = run  # type: ignore[method-assign,assignment]  # what Celery's tracer calls

    @classmethod
    def bind(cls, app: Any) -> Any:
        """Take defaults from the configuration; a task that sets one time limit gets no global value for the other."""
        limits = cls.time_limit, cls.soft_time_limit
        bound = super().bind(app)
        if limits != (None, None):
            cls.time_limit, cls.soft_time_limit = limits
        return bound

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Let each coroutine see its own request."""
        cls.request_stack.__ident_func__ = stack_identity  # type: ignore[misc]  # missing from the stubs

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> AsyncResult[R]:
        """Send the task; see Celery's guide to calling tasks for the options."""
        send = functools.partial(super().apply_async, args, kwargs, *more, **options)
        return None if defer(send) else send()  # type: ignore[return-value]  # `retry` ignores it

    def retry(self, *args: Any, **options: Any) -> Retry:
        """Retry the task; does not block the loop, and loses no task while the broker is unavailable."""
        raise_if_abandoned()
        with retrying() if options.get("throw", True) else nullcontext():
            return super().retry(*args, **options)

    def options(self, **options: Unpack[SendOptions]) -> "TaskWithOptions[P, R]":
        """Set options for one message: `task.options(countdown=5).delay(1)`."""
        return TaskWithOptions(self, options)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send the task without blocking the caller's loop.

        Raises:
            ServiceUnavailableError: The broker did not accept the message in time.
        """
        return await publisher_thread.publish(self.apply_async, args, kwargs)


class TaskWithOptions(Generic[P, R]):
    """A task and the options of one message, with the types of the task's function.

    Args:
        task: The task.
        options: How to send it.
    """

    def __init__(self, task: AsyncTask[P, R, Any], options: SendOptions) -> None:
        self._task = task
        self._options = options

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send the task."""
        return self._task.apply_async(args, kwargs, **self._options)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send the task without blocking the caller's loop.

        Raises:
            ServiceUnavailableError: The broker did not accept the message in time.
        """
        return await publisher_thread.publish(self._task.apply_async, args, kwargs, **self._options)

    @property
    def s(self) -> SignatureFactory[P, R]:
        """Create a signature, for a workflow."""
        sign: Any = self._task.s
        return cast("SignatureFactory[P, R]", lambda *args, **kwargs: sign(*args, **kwargs).set(**self._options))

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """Create a signature that takes no result of another task."""
        return self._task.si(*args, **kwargs).set(**self._options)


def _header(signature: inspect.Signature, bound: bool) -> Callable[..., Any]:
    """Checks arguments. Celery reads its parameters, and whether it is a partial, to decide how to call an errback."""

    def header(*args: Any, **kwargs: Any) -> inspect.BoundArguments:
        return signature.bind(*args, **kwargs)

    header.__signature__ = signature  # type: ignore[attr-defined]  # read by `inspect`
    return functools.partial(header) if bound else header


def _end_if_abandoned(function: Callable[..., Any]) -> Callable[..., Any]:
    """A synchronous function that ends without an outcome if its run was terminated or exceeded its hard limit."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        finally:
            raise_if_abandoned()

    return run


def _dump_result(function: CoroutineFunction) -> CoroutineFunction:
    """Dump a returned model to JSON, which Celery's `pydantic=True` cannot do for a coroutine."""

    @functools.wraps(function)
    async def dumped(*args: Any, **kwargs: Any) -> Any:
        result = await function(*args, **kwargs)
        return result.model_dump(mode="json") if isinstance(result, BaseModel) else result

    return dumped


def _is_variadic(signature: inspect.Signature) -> bool:
    variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return any(parameter.kind in variadic for parameter in signature.parameters.values())


def _with_self(signature: inspect.Signature) -> inspect.Signature:
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    rest = list(signature.parameters.values())
    return signature.replace(parameters=[first, *rest])


def _without_self(signature: inspect.Signature) -> inspect.Signature:
    return signature.replace(parameters=list(signature.parameters.values())[1:])
