from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar, NamedTuple
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.exc import StatementError
from sqlalchemy.orm.attributes import set_attribute
from sqlmodel import col, delete, or_, select

from src.core.effects import TaskCall
from src.core.stores.errors import as_unavailable
from src.core.stores.sql import AdvisoryLock, reload_expired
from src.core.tasks.run_event import RunEvent
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.task_run import FINISHED, MAXIMUM_STARTS, RunState, TaskRun
from src.utils.date import utc_now
from src.utils.masking import masked


def queued_run(call: TaskCall) -> TaskRun:
    """The run of a call that is about to be sent, without secrets."""
    args, kwargs = list(call.args), dict(call.kwargs)
    masked_args, masked_kwargs = masked(args), masked(kwargs)
    return TaskRun(
        id=call.id,
        name=call.name,
        args=masked_args,
        kwargs=masked_kwargs,
        is_complete=(masked_args, masked_kwargs) == (args, kwargs),
        queued_at=call.queued_at,
        requested_by=call.requested_by,
        request_id=call.request_id or None,
        retry_of=call.retry_of,
        queue=call.queue,
        schedule_id=call.schedule_id,
    )


class AppliedEvents(NamedTuple):
    """The runs that have changed, those that have finished, and the ids of the events that were refused."""

    changed: list[TaskRun]
    finished: list[TaskRun]
    refused: list[str]


class TaskRunCRUD(BaseSQLModelCRUD[TaskRun]):
    """The run history."""

    model: ClassVar[type[TaskRun]] = TaskRun

    async def lock(self) -> bool:
        """Try to become the only transaction that writes run events; returns whether it is."""
        return bool((await self.session.exec(select(func.pg_try_advisory_xact_lock(AdvisoryLock.RUN_EVENTS)))).one())

    async def apply_all(self, events: Mapping[str, RunEvent]) -> "AppliedEvents":
        """Apply run events in order, oldest first; those that PostgreSQL does not accept are left out.

        Args:
            events: The events by their ids in the stream.
        """
        try:
            async with self.session.begin_nested():
                return AppliedEvents(*await self.apply(list(events.values())), [])
        except StatementError as error:
            if as_unavailable(error) is not None:
                raise
        applied = AppliedEvents([], [], [])
        for entry_id, event in events.items():
            try:
                async with self.session.begin_nested():
                    changed, finished = await self.apply([event])
            except StatementError as error:
                if as_unavailable(error) is not None:
                    raise
                applied.refused.append(entry_id)
                await reload_expired(self.session)
            else:
                applied.changed.extend(changed)
                applied.finished.extend(finished)
        return applied

    async def apply(self, events: Sequence[RunEvent]) -> tuple[list[TaskRun], list[TaskRun]]:
        """Apply run events in order, oldest first; returns the runs that have changed, and those that have finished."""
        known = select(TaskRun).where(col(TaskRun.id).in_({event.id for event in events}))
        runs = {run.id: run for run in (await self.session.exec(known)).all()}
        finished: dict[UUID, TaskRun] = {}
        now = utc_now()
        for event in events:
            run = runs.get(event.id)
            if run is None:
                # Named, because pydantic takes longer to call the factories of defaults than for all other fields.
                run = TaskRun(id=event.id, args=[], kwargs={}, create_time=now, update_time=now)
                runs[event.id] = run
                self.session.add(run)
            if _is_stale(event, run):
                continue
            for name, value in event.model_dump(exclude_none=True, exclude={"id", "at"}).items():
                set_attribute(run, name, value)  # takes a quarter of the time of `setattr`
            if event.state == RunState.STARTED:
                run.attempts += 1
                run.attempt_starts = [*(run.attempt_starts or []), event.at.isoformat()][-MAXIMUM_STARTS:]
                run.started_at, run.finished_at = event.at, None
                run.result = run.error = run.traceback = None
            if event.state == RunState.SUCCESS:
                run.error = run.traceback = None
            if event.state in FINISHED:
                run.finished_at = event.at
                finished[run.id] = run
        return list(runs.values()), list(finished.values())

    async def unfinished(self) -> Sequence[tuple[RunState, str | None, int]]:
        """Count the runs that have not finished, by state and worker."""
        statement = (
            select(TaskRun.state, TaskRun.worker, func.count())
            .where(col(TaskRun.state).in_(set(RunState) - FINISHED))
            .group_by(col(TaskRun.state), col(TaskRun.worker))
        )
        return [(RunState(state), worker, count) for state, worker, count in await self.session.exec(statement)]

    async def prune(self, before: datetime, limit: int) -> int:
        """Delete runs that finished before a time, and unfinished ones last updated before it; returns how many."""
        lost = col(TaskRun.finished_at).is_(None) & (col(TaskRun.update_time) < before)
        old = select(TaskRun.id).where(or_(col(TaskRun.finished_at) < before, lost)).limit(limit)
        result = await self.session.exec(delete(TaskRun).where(col(TaskRun.id).in_(old)))
        return int(result.rowcount)


def _is_stale(event: RunEvent, run: TaskRun) -> bool:
    """Whether an event came too late or twice: an event whose reply was lost is sent again.

    Times of two workers are never compared, since their clocks may differ.
    """
    if run.state == RunState.REVOKED:  # several processes may report the same revocation
        return event.state in (RunState.RETRY, RunState.STARTED, RunState.REVOKED)
    if event.state == RunState.STARTED:
        is_known = event.at == run.started_at or event.at.isoformat() in (run.attempt_starts or [])
        has_ended = event.worker == run.worker and run.finished_at is not None and event.at <= run.finished_at
        return is_known or has_ended
    return run.is_finished and event.state in (RunState.RETRY, run.state)
