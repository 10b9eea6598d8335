"""`manage.sh shell`: a Python console on the application, where `await` works at the prompt."""

import ast
import asyncio
import code
import inspect
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from threading import Thread
from types import CodeType, FunctionType
from typing import Any, TypeVar

from typing_extensions import override

T = TypeVar("T")

BANNER = """\
Python {version} on the stores of this environment ({environment}).
At hand: {names}, and every model.
`await` works at the prompt. Nothing is stored before `await uow.commit()`. Ctrl-D ends the shell.
"""


def open_shell() -> None:
    """Run Python on the stores: at a prompt, or from standard input."""
    with suppress(ImportError):
        import readline  # noqa: F401 - gives input() its history and line editing

    from src.core.config import settings

    loop = BackgroundLoop()
    stack = AsyncExitStack()
    try:
        namespace = loop.run(stack.enter_async_context(application_objects()))
        console = Console(namespace, loop)
        if not sys.stdin.isatty():
            sys.exit(console.run_lines(sys.stdin))
        names = ", ".join(name for name in namespace if name.islower())
        version = sys.version.partition(" ")[0]
        banner = BANNER.format(version=version, environment=settings.ENVIRONMENT, names=names)
        console.interact(banner, exitmsg="")
    finally:
        loop.run(stack.aclose())
        loop.stop()


@asynccontextmanager
async def application_objects() -> AsyncIterator[dict[str, Any]]:
    """The names that the console starts with; their transaction is rolled back at the end."""
    from sqlmodel import select

    import src.models
    from src.manage.stores import open_stores
    from src.models import DOCUMENTS

    async with open_stores() as resources, uncommitted(resources) as uow:
        models = {name: getattr(src.models, name) for name in src.models.__all__}
        documents = {document.__name__: document for document in DOCUMENTS}
        yield {
            "select": select,
            "uow": uow,
            "session": uow.session,
            "resources": resources,
            "redis": resources.redis,
            "mongo": resources.mongo,
            "documents": resources.documents,
            "storage": resources.storage,
            "settings": resources.settings,
            **models,
            **documents,
        }


@asynccontextmanager
async def uncommitted(resources: Any) -> AsyncIterator[Any]:
    """A unit of work that commits only when it is told to."""
    from src.core.unit_of_work import UnitOfWork

    async with resources.sessions() as session:
        yield UnitOfWork(session, resources.tasks, resources.events)


class BackgroundLoop:
    """An event loop in a thread of its own: the main thread reads input, and gets Ctrl-C."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; Ctrl-C cancels it."""
        future: Future[T | SystemExit] = asyncio.run_coroutine_threadsafe(_outcome(coroutine), self._loop)
        try:
            outcome = future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise
        if isinstance(outcome, SystemExit):
            raise outcome
        return outcome

    def stop(self) -> None:
        """Stop the loop, and close it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _outcome(coroutine: Coroutine[Any, Any, T]) -> T | SystemExit:
    """Await it; `SystemExit` is returned, since raising it would stop the loop."""
    try:
        return await coroutine
    except SystemExit as end:
        return end


class Console(code.InteractiveConsole):
    """Runs what is typed on the loop."""

    def __init__(self, namespace: dict[str, Any], loop: BackgroundLoop) -> None:
        super().__init__(namespace)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop = loop
        self._has_failed = False

    def run_lines(self, lines: Iterable[str]) -> int:
        """Run lines as if they were typed, without prompts; returns 1 if any of them failed, else 0."""
        for line in lines:
            self.push(line.rstrip("\n"))
        if self.push(""):  # an empty line ends a block
            self.write("The input ends within a statement.\n")
            return 1
        return int(self._has_failed)

    @override
    def showtraceback(self) -> None:
        self._has_failed = True
        super().showtraceback()

    @override
    def showsyntaxerror(self, *args: Any, **kwargs: Any) -> None:
        self._has_failed = True
        super().showsyntaxerror(*args, **kwargs)

    @override
    def runcode(self, code: CodeType) -> None:
        """Run a compiled input on the loop, and show what it raises."""
        try:
            self._loop.run(self._execute(code))
        except KeyboardInterrupt:
            self.write("\nKeyboardInterrupt\n")

    async def _execute(self, code: CodeType) -> None:
        try:
            result = FunctionType(code, self.locals)()
            if inspect.iscoroutine(result):
                await result
        except Exception:
            self.showtraceback()
