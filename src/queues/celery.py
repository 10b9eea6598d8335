"""Celery with types: what `delay` takes and its result returns is what the task's function takes and returns."""

import pkgutil
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, overload

import celery
from celery import signals

from src.queues.pool.greenlet_bridge import off_loop
from src.queues.publisher_thread import publisher
from src.queues.task import AsyncTask

P = ParamSpec("P")
R = TypeVar("R")
Async = Coroutine[Any, Any, R]


class TaskOptions(TypedDict, total=False):
    """Celery's task options; see its user guide for each."""

    name: str
    base: type[AsyncTask[..., Any, Any]]
    pydantic: bool
    pydantic_strict: bool
    pydantic_context: dict[str, Any]
    autoretry_for: Sequence[type[Exception]]
    dont_autoretry_for: Sequence[type[Exception]]
    retry_kwargs: dict[str, Any]
    retry_backoff: bool | int
    retry_backoff_max: int
    retry_jitter: bool
    max_retries: int | None
    default_retry_delay: int
    rate_limit: str
    time_limit: float
    soft_time_limit: float
    acks_late: bool
    acks_on_failure_or_timeout: bool
    reject_on_worker_lost: bool
    track_started: bool
    ignore_result: bool
    store_errors_even_if_ignored: bool
    throws: tuple[type[Exception], ...]
    expires: float
    priority: int
    serializer: str
    shared: bool
    tracked: bool
    max_redeliveries: int
    lazy: bool


class Decorator(Protocol):
    """What `@app.task(...)` does to a function."""

    @overload
    def __call__(self, function: Callable[P, Async[R]], /) -> AsyncTask[P, R, Async[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> AsyncTask[P, R, R]: ...


class BoundDecorator(Protocol):
    """The same with `bind=True`: the function's first parameter is the task."""

    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], Async[R]], /) -> AsyncTask[P, R, Async[R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Any, P], R], /) -> AsyncTask[P, R, R]: ...


class Celery(celery.Celery):
    """Celery whose tasks may be coroutine functions, typed from end to end."""

    task_cls = AsyncTask  # type: ignore[assignment]  # Celery takes a class as well as its name

    @overload  # type: ignore[override]  # Celery's own stubs lose the function's type
    def task(self, function: Callable[P, Async[R]], /) -> AsyncTask[P, R, Async[R]]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> AsyncTask[P, R, R]: ...
    @overload
    def task(self, *, bind: Literal[True], **options: Unpack[TaskOptions]) -> BoundDecorator: ...
    @overload
    def task(self, *, bind: Literal[False] = False, **options: Unpack[TaskOptions]) -> Decorator: ...
    def task(self, *args: Any, **options: Any) -> Any:
        """Make a task of a function."""
        return super().task(*args, **options)

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send a task by name; in the asyncio pool Celery's own messages (retries, chains) leave from their thread."""
        return off_loop(publisher.executor, super().send_task, *args, **kwargs)

    def autodiscover_tasks(
        self,
        packages: Iterable[str] | Callable[[], Iterable[str]] | None = None,
        related_name: str | None = "tasks",
        force: bool = False,
    ) -> None:
        """Import `related_name` of each package; a package of that very name is imported with all its modules."""
        super().autodiscover_tasks(packages, related_name, force)  # type: ignore[arg-type]  # callables are welcome

        def import_all(**_signal: object) -> None:
            for name in _task_modules(packages, related_name):
                import_module(name)

        if force:
            import_all()
        else:  # Celery raises what goes wrong here, where its own search passes over a module that cannot be imported
            signals.import_modules.connect(import_all, sender=self, weak=False)


def _task_modules(
    packages: Iterable[str] | Callable[[], Iterable[str]] | None, related_name: str | None
) -> Iterator[str]:
    for name in (packages() if callable(packages) else packages) or ():
        if name.rpartition(".")[2] == related_name:
            package = import_module(name)
            yield from (module.name for module in pkgutil.iter_modules(package.__path__, f"{name}."))
