"""Celery with types: `delay` takes the arguments of the task's function, and its result has the function's type."""

import pkgutil
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, Unpack, overload

import celery
from celery import signals

from src.queues.broker.delayed import MoveDueMessages
from src.queues.options import Signature, TaskOptions
from src.queues.pool.greenlet_bridge import off_loop
from src.queues.pool.identity import waits_for_coroutines
from src.queues.publisher_thread import publisher_thread
from src.queues.task import AsyncTask

P = ParamSpec("P")
R = TypeVar("R")
Async = Coroutine[Any, Any, R]
Packages = Iterable[str] | Callable[[], Iterable[str]] | None


# The type of the first parameter of a function under `@app.task(bind=True)`.
Task = AsyncTask[..., Any, Any]

if TYPE_CHECKING:
    from celery.canvas import Signature as AnySignature
    from celery.result import AsyncResult
    from celery.result import GroupResult as AnyGroupResult

    class GroupResult(AnyGroupResult, Generic[R]):
        """The results of a group; see Celery's guide."""

        def get(self, timeout: float | None = None, propagate: bool = True, **options: Any) -> list[R]:  # type: ignore[override]  # the stubs have Any
            """Wait for all results, in the order of the tasks."""

    class group(Signature[list[R]]):  # noqa: N801 - Celery's name
        """Tasks that run concurrently."""

        def __init__(self, *tasks: AnySignature[R] | Iterable[AnySignature[R]]) -> None: ...
        def delay(self, *args: Any, **kwargs: Any) -> GroupResult[R]:  # type: ignore[override]  # no AsyncResult
            """Send the tasks."""

        def apply_async(self, *args: Any, **options: Any) -> GroupResult[R]:  # type: ignore[override]  # the same
            """Send the tasks with options."""

        def __call__(self, *args: Any, **options: Any) -> GroupResult[R]:  # type: ignore[override]  # the same
            """Send the tasks with options."""

    def chain(*tasks: *tuple[*tuple[AnySignature[Any], ...], AnySignature[R]]) -> Signature[R]:
        """Tasks that run one after the other, each with the result of the one before."""

    @overload
    def chord(header: group[Any] | Iterable[AnySignature[Any]], body: AnySignature[R]) -> Signature[R]: ...
    @overload
    def chord(header: group[Any] | Iterable[AnySignature[Any]]) -> Callable[[AnySignature[R]], AsyncResult[R]]: ...
    def chord(header: Any, body: Any = None) -> Any:
        """Tasks that run concurrently, then the body with the list of their results."""

else:
    chain, chord, group = celery.chain, celery.chord, celery.group


class Decorator(Protocol):
    """The return type of `@app.task(...)`."""

    @overload
    def __call__(self, function: Callable[P, Async[R]], /) -> AsyncTask[P, R, Async[R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> AsyncTask[P, R, R]: ...


class BoundDecorator(Protocol):
    """The return type of `@app.task(bind=True, ...)`: the function's first parameter is the task."""

    @overload
    def __call__(self, function: Callable[Concatenate[Task, P], Async[R]], /) -> AsyncTask[P, R, Async[R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Task, P], R], /) -> AsyncTask[P, R, R]: ...


class Celery(celery.Celery):
    """A Celery application whose tasks may be coroutine functions, with types throughout."""

    task_cls = AsyncTask  # type: ignore[assignment]  # the stubs only allow a class name

    @overload  # type: ignore[override]  # Celery's own stubs lose the function's type
    def task(self, function: Callable[P, Async[R]], /) -> AsyncTask[P, R, Async[R]]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> AsyncTask[P, R, R]: ...
    @overload
    def task(self, *, bind: Literal[True], **options: Unpack[TaskOptions]) -> BoundDecorator: ...
    @overload
    def task(self, *, bind: Literal[False] = False, **options: Unpack[TaskOptions]) -> Decorator: ...
    def task(self, *args: Any, **options: Any) -> Any:
        """Create a task from a function."""
        return super().task(*args, **options)

    def on_init(self) -> None:
        """Have workers move delayed messages and keep dead letters; Celery calls it at the end of `__init__`."""
        self.steps["consumer"].add(MoveDueMessages)
        self.add_defaults(lambda: {"worker_consumer": "src.queues.broker.consumer:Consumer"})

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - Celery's name
        """The class of `celery worker`."""
        return self.subclass_with_self("src.queues.pool.worker:Worker")  # type: ignore[arg-type]  # it accepts a path

    def _task_from_fun(self, *args: Any, **options: Any) -> Any:
        """Create a task; meanwhile no other thread binds the application's tasks, this unfinished one among them."""
        with self._finalize_mutex:  # type: ignore[attr-defined]  # missing from the stubs
            return super()._task_from_fun(*args, **options)

    def _get_backend(self) -> Any:
        """The result backend, whose error callbacks may be coroutine tasks."""
        backend: Any = super()._get_backend()  # type: ignore[misc]  # missing from the stubs
        backend._call_task_errbacks = waits_for_coroutines(backend._call_task_errbacks)
        return backend

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send a task by name. In the asyncio pool, Celery's own messages (retries, chains) leave from a thread."""
        return off_loop(publisher_thread.executor, super().send_task, *args, **kwargs)

    def autodiscover_tasks(
        self,
        packages: Packages = None,
        related_name: str | None = "tasks",
        force: bool = False,
        without: Collection[str] = (),
    ) -> None:
        """Import the module `related_name` of each package; of a package of that name, all but those `without`."""
        super().autodiscover_tasks(packages, related_name, force)  # type: ignore[arg-type]  # it accepts a callable

        def import_all(**_signal: object) -> None:
            for name in _task_modules(packages, related_name):
                if name.rpartition(".")[2] not in without:
                    import_module(name)

        if force:
            import_all()
        else:  # an import error is raised here; Celery's own search would skip the module
            signals.import_modules.connect(import_all, sender=self, weak=False)


def _task_modules(packages: Packages, related_name: str | None) -> Iterator[str]:
    for name in (packages() if callable(packages) else packages) or ():
        if name.rpartition(".")[2] == related_name:
            package = import_module(name)
            yield from (module.name for module in pkgutil.iter_modules(package.__path__, f"{name}."))
