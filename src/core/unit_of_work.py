from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction
from sqlmodel.ext.asyncio.session import AsyncSession
from typing_extensions import override

from src.core.effects import EventEmitter, TaskCall, TaskOutbox
from src.core.stores.errors import as_unavailable, summary
from src.core.stores.sql import reload_expired
from src.core.telemetry.spans import emit_span
from src.utils.cancellation import finish
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

Hook = Callable[[], Awaitable[object]]


class UnitOfWork:
    """The transaction of one request, event or task, and its effects: tasks and events that are sent after the commit.

    A rollback sends nothing; the rollback of a savepoint sends nothing that was recorded in it. Handlers, services and
    CRUD classes do not commit. Exceptions: `TaskOutbox.deliver`, the task `outbox.relay`, and beat.
    """

    def __init__(self, session: AsyncSession, tasks: TaskOutbox, events: EventEmitter) -> None:
        self.session = session
        self._tasks = tasks
        self._events = events
        self._calls: list[TaskCall] = []
        self._before_commit: list[Hook] = []
        self._after_commit: list[tuple[str, Hook]] = []
        # The numbers of calls and hooks before each open savepoint.
        self._before_savepoint: dict[SessionTransaction, tuple[int, int, int]] = {}

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part of the transaction that can fail alone: an error in the block undoes the block, with its effects.

        Catch the error around the block. Rows that were changed in it are reloaded.
        """
        try:
            async with self.session.begin_nested():
                yield
        except Exception:
            await reload_expired(self.session)
            raise

    def enqueue(
        self,
        task: str,
        /,
        *,
        queue: str | None = None,
        priority: int | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        expires: float | datetime | None = None,
        **kwargs: Any,
    ) -> UUID:
        """Send a task by name after the commit.

        The call is stored in the transaction, so it is sent at least once, even if this process dies.

        Args:
            task: The name of the task.
            queue: Overrides the task's own queue.
            priority: Overrides the task's own priority.
            countdown: Seconds from now until it runs; takes precedence over `eta`.
            eta: When to run it, an aware time.
            expires: A task that has not started by then is dropped: seconds from now, or an aware time.
            **kwargs: The task's arguments; they must be JSON. For one that is named like an option, use `enqueue_call`.

        Returns:
            The id of the run.
        """
        call = TaskCall(
            task,
            kwargs=kwargs,
            queue=queue,
            priority=priority,
            eta=eta if countdown is None else _seconds_from_now(countdown),
            expires=_seconds_from_now(expires) if isinstance(expires, int | float) else expires,
        )
        return self.enqueue_call(call)

    def enqueue_call(self, call: TaskCall) -> UUID:
        """`enqueue` with all options of a call, such as its ordering key."""
        self._remember_savepoints()
        self._calls.append(call)
        return call.id

    def emit(self, event: str, data: object, *, room: str | None = None) -> None:
        """Emit a Socket.IO event after the commit, to `room` or to all clients.

        Raises:
            UndeclaredEventError: The payload does not match its type in `src/schemas/events.py`; in debug environments
                also if the event is not declared there.
        """
        self._events.check(event, data)

        async def emit() -> None:
            with emit_span(event):
                await self._events.emit(event, data, room=room)

        self.after_commit(f"event {event}", emit)

    def disconnect(self, *rooms: str) -> None:
        """Disconnect the Socket.IO clients in these rooms after the commit."""
        if rooms:
            self.after_commit("disconnect", lambda: self._events.disconnect(rooms))

    def before_commit(self, hook: Hook) -> None:
        """Run `hook` before the commit; if it raises, the transaction is rolled back."""
        self._remember_savepoints()
        self._before_commit.append(hook)

    def after_commit(self, name: str, effect: Hook) -> None:
        """Run `effect` after the commit; if it fails, `name` is logged."""
        self._remember_savepoints()
        self._after_commit.append((name, effect))

    async def commit(self) -> None:
        """Run the hooks, commit, send the tasks, then run the other effects in the order of their calls.

        If the caller is cancelled after the hooks, the commit and all effects still run first.
        """
        while self._before_commit:
            await self._before_commit.pop(0)()
        await finish(self._commit())

    async def _commit(self) -> None:
        calls, self._calls = self._calls, []
        if calls:
            await self._tasks.store(self.session, calls)
        await self.session.commit()
        if calls:
            await self._tasks.deliver(self.session, calls)
        while self._after_commit:
            name, effect = self._after_commit.pop(0)
            try:
                await effect()
            except Exception as error:
                # The data is committed: an error would make the caller repeat the request.
                if as_unavailable(error):
                    log.warning("effect_failed", effect=name, reason=summary(error))
                else:
                    log.exception("effect_failed", effect=name)

    async def rollback(self) -> None:
        """Roll the transaction back and drop the effects."""
        self._calls.clear()
        self._before_commit.clear()
        self._after_commit.clear()
        await self.session.rollback()

    def _remember_savepoints(self) -> None:
        """Note where the effects of the open savepoints begin, including those of `session.begin_nested()`."""
        session = self.session.sync_session
        savepoint = session.get_nested_transaction()
        if savepoint is not None and not self._before_savepoint:
            event.listen(session, "after_soft_rollback", self._drop_effects)
        while savepoint is not None and savepoint.nested:
            counts = len(self._calls), len(self._before_commit), len(self._after_commit)
            self._before_savepoint.setdefault(savepoint, counts)
            savepoint = savepoint.parent

    def _drop_effects(self, _session: Session, savepoint: SessionTransaction) -> None:
        if savepoint in self._before_savepoint:
            calls, before, after = self._before_savepoint[savepoint]
            del self._calls[calls:], self._before_commit[before:], self._after_commit[after:]


class ReadUnitOfWork(UnitOfWork):
    """A unit of work for services that only read: it is never committed, so an effect raises instead of being lost."""

    @override
    def enqueue_call(self, call: TaskCall) -> UUID:
        raise self._read_only()

    @override
    def before_commit(self, hook: Hook) -> None:
        raise self._read_only()

    @override
    def after_commit(self, name: str, effect: Hook) -> None:
        raise self._read_only()

    @override
    async def commit(self) -> None:
        raise self._read_only()

    def _read_only(self) -> RuntimeError:
        return RuntimeError("This unit of work only reads: depend on UnitOfWorkDep to change something.")


def _seconds_from_now(seconds: float) -> datetime:
    return utc_now() + timedelta(seconds=seconds)
