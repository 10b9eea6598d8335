from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.effects import EventEmitter, TaskCall, TaskOutbox

log = structlog.get_logger(__name__)

Hook = Callable[[], Awaitable[object]]


class UnitOfWork:
    """One request, event or task: one transaction, and the effects that leave after it.

    Only the unit of work commits. A rollback sends nothing.
    """

    def __init__(self, session: AsyncSession, tasks: TaskOutbox, events: EventEmitter) -> None:
        self.session = session
        self._tasks = tasks
        self._events = events
        self._calls: list[TaskCall] = []
        self._before_commit: list[Hook] = []
        self._after_commit: list[tuple[str, Hook]] = []

    def enqueue(self, task: str, /, **kwargs: Any) -> UUID:
        """Send a task by name once the transaction has committed; `kwargs` must be JSON.

        The call is a row of the transaction, so it leaves at least once, whatever happens to this process.

        Returns:
            The id of its run.
        """
        return self.enqueue_call(TaskCall(task, kwargs=kwargs))

    def enqueue_call(self, call: TaskCall) -> UUID:
        """`enqueue` with all its choices, such as the order among calls of one key."""
        self._calls.append(call)
        return call.id

    def emit(self, event: str, data: object, *, room: str | None = None) -> None:
        """Send a Socket.IO event once the transaction has committed, to `room` or to everyone.

        Raises:
            UndeclaredEventError: In debug environments, when `src/schemas/events.py` does not declare the event, or
                declares another payload.
        """
        self._events.check(event, data)
        self.after_commit(f"event {event}", lambda: self._events.emit(event, data, room=room))

    def disconnect(self, *rooms: str) -> None:
        """End the Socket.IO connections in these rooms once the transaction has committed."""
        if rooms:
            self.after_commit("disconnect", lambda: self._events.disconnect(rooms))

    def before_commit(self, hook: Hook) -> None:
        """Run `hook` just before the commit; if it raises, everything is rolled back."""
        self._before_commit.append(hook)

    def after_commit(self, name: str, effect: Hook) -> None:
        """Run `effect` after the commit; `name` stands in the log if it fails."""
        self._after_commit.append((name, effect))

    async def commit(self) -> None:
        """Commit, then let the tasks out, and the other effects, in the order in which they were recorded."""
        hooks, self._before_commit = self._before_commit, []
        for hook in hooks:
            await hook()
        calls, self._calls = self._calls, []
        if calls:
            await self._tasks.store(self.session, calls)
        await self.session.commit()
        if calls:
            await self._tasks.deliver(self.session, calls)
        effects, self._after_commit = self._after_commit, []
        for name, effect in effects:
            try:
                await effect()
            except Exception:
                # The data is committed: telling the caller that it failed would make them do it twice.
                log.exception("effect_failed", effect=name)

    async def rollback(self) -> None:
        """Undo everything and forget the effects."""
        self._calls.clear()
        self._before_commit.clear()
        self._after_commit.clear()
        await self.session.rollback()
