import functools
import inspect
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, TypeVar, Unpack

from celery import Task as CeleryTask
from celery._state import _task_stack  # type: ignore[attr-defined]  # the stubs leave it out
from celery.exceptions import Retry
from celery.result import AsyncResult
from pydantic import BaseModel

from src.core.injection import EntryPoint, compile_plan
from src.queues.options import Prepared, SendOptions
from src.queues.pool.event_loop import process_loop
from src.queues.pool.identity import current_run, stack_identity
from src.queues.publisher_thread import publisher
from src.queues.retry import postpone, retrying, send_postponed

P = ParamSpec("P")
R = TypeVar("R")
Called = TypeVar("Called")
CoroutineFunction = Callable[..., Coroutine[Any, Any, Any]]

TASKS = EntryPoint()

_task_stack.__ident_func__ = stack_identity


class AsyncTask(CeleryTask[P, R], Generic[P, R, Called]):
    """A task that may be a coroutine function.

    Celery's tracer waits for the coroutine, which runs on the one loop of the process: retries, limits, acks, results
    and signals are those of any task. Called directly, the task returns the coroutine. `Depends` parameters are filled
    in where it runs, and are none of the caller's arguments.
    """

    abstract = True
    is_async: ClassVar[bool] = False
    __header__: ClassVar[Any]

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Called:  # type: ignore[override]  # may be a coroutine
            """Run the function here and now."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        run: Any = cls.__dict__.get("run")
        bound = not isinstance(run, staticmethod)
        function = run if bound else run.__func__
        if cls.__dict__.get("_dump_pydantic_arguments") and inspect.iscoroutinefunction(inspect.unwrap(function)):
            function = _dumping(function)
        if inspect.iscoroutinefunction(function):
            cls._bridge(function, bound)

    @classmethod
    def _bridge(cls, function: CoroutineFunction, bound: bool) -> None:
        """Replace `run` by a synchronous method that waits for the coroutine."""
        signature = inspect.signature(function)
        call = function
        if not _is_variadic(signature) and (plan := compile_plan(function, TASKS)).injects:
            signature, call = plan.signature, lambda *args, **kwargs: plan.run(args, kwargs)
            head = _without_self(signature) if bound else signature
            cls.__header__ = staticmethod(head.bind)

        @functools.wraps(function)
        def run(self: AsyncTask[..., Any, Any], *args: Any, **kwargs: Any) -> Any:
            coroutine = call(self, *args, **kwargs) if bound else call(*args, **kwargs)
            request = self.request
            running = current_run.get()
            if request.called_directly or (running is not None and running[1] == request.id):
                return coroutine
            token = current_run.set((stack_identity(), request.id))
            try:
                return process_loop.run(coroutine)
            except Retry as retry:
                send_postponed(retry)
                raise
            finally:
                current_run.reset(token)

        # `retry` binds arguments by this signature.
        run.__signature__ = signature if bound else _with_self(signature)  # type: ignore[attr-defined]  # for inspect
        cls.is_async = True
        cls.run = run  # type: ignore[method-assign,assignment]  # what Celery's tracer calls

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Let coroutines see their own request."""
        cls.request_stack.__ident_func__ = stack_identity  # type: ignore[misc]  # as for the task stack

    def apply_async(self, args: Any = None, kwargs: Any = None, *more: Any, **options: Any) -> AsyncResult[R]:
        """Send the task; see Celery's guide to calling tasks for the options."""
        send = functools.partial(super().apply_async, args, kwargs, *more, **options)
        return None if postpone(send) else send()  # type: ignore[return-value]  # a retry looks at no result

    def retry(self, *args: Any, **options: Any) -> Retry:
        """Celery's `retry`, which never blocks a loop, and loses no task with a broker that is away."""
        with retrying() if options.get("throw", True) else nullcontext():
            return super().retry(*args, **options)

    def options(self, **options: Unpack[SendOptions]) -> Prepared[P, R]:
        """Say how the next message is sent: `task.options(countdown=5).delay(1)`."""
        return Prepared(self, options)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """`delay` for coroutines: publishing never blocks the caller's loop.

        Raises:
            ServiceUnavailableError: The broker did not take the message in time.
        """
        return await publisher.publish(self.apply_async, args, kwargs)


def _dumping(function: CoroutineFunction) -> CoroutineFunction:
    """Finish what `pydantic=True` cannot do to a coroutine: dump the model that it returns."""

    @functools.wraps(function)
    async def validated(*args: Any, **kwargs: Any) -> Any:
        result = await function(*args, **kwargs)
        return result.model_dump(mode="json") if isinstance(result, BaseModel) else result

    return validated


def _is_variadic(signature: inspect.Signature) -> bool:
    variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    return any(parameter.kind in variadic for parameter in signature.parameters.values())


def _with_self(signature: inspect.Signature) -> inspect.Signature:
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    rest = list(signature.parameters.values())
    return signature.replace(parameters=[first, *rest])


def _without_self(signature: inspect.Signature) -> inspect.Signature:
    return signature.replace(parameters=list(signature.parameters.values())[1:])
