from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from src.core.effects import TaskCall
from src.core.exceptions import ConflictError, InvalidInputError, NotFoundError
from src.core.list_filters import CursorRequest
from src.core.realtime.presence import is_anyone_in
from src.core.realtime.rooms import OPS_ROOM, user_room
from src.core.resources import Resources
from src.core.tasks.info import TaskInfo
from src.core.tasks.run_event import RunEvent
from src.core.unit_of_work import UnitOfWork
from src.crud.email_link import EmailLinkCRUD
from src.crud.idempotency_key import IdempotencyKeyCRUD
from src.crud.outbox import OutboxCRUD
from src.crud.process_report import ProcessReportCRUD
from src.crud.run_event import RunEventCRUD
from src.crud.task_run import TaskRunCRUD, queued_run
from src.models.task_run import RunState, TaskRun
from src.schemas.list_params import MAXIMUM_IDS
from src.schemas.task import RevokeResult, RunCreate, RunResponse, RunsToRetry, TaskFinished
from src.services.actor import Actor
from src.services.email_link import KEPT
from src.utils.date import utc_now

BATCH = 1000
# How many runs of a batch are shown to those who watch.
WATCHED = 100


class TaskRunService:
    """The run history: persists run events, lists runs, and revokes or repeats them."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.resources = resources
        self.uow = uow
        self.runs = TaskRunCRUD(uow.session)
        self.events = RunEventCRUD(resources.redis)
        self.reports = ProcessReportCRUD(resources.redis)

    async def tasks(self) -> Sequence[TaskInfo]:
        """The registered tasks, sorted by name."""
        return list((await self.resources.tasks.publisher.catalog()).values())

    async def send(self, name: str, data: RunCreate, actor: Actor) -> TaskRun:
        """Send a task by its name; returns the run.

        Raises:
            NotFoundError: No task has this name.
            PermissionDeniedError: The actor does not hold the permission that the task requires.
            InvalidInputError: The arguments do not match the task's signature.
        """
        task = (await self.resources.tasks.publisher.catalog()).get(name)
        if task is None:
            raise NotFoundError("Task not found.")
        actor.require_start(task)
        for field, message in task.check_call(data.args, data.kwargs).items():
            raise InvalidInputError(field, message)
        eta = utc_now() + timedelta(seconds=data.countdown_seconds) if data.countdown_seconds else None
        call = TaskCall(name, data.args, data.kwargs, queue=data.queue, eta=eta)
        self.uow.enqueue_call(call)
        return queued_run(call)

    async def cursor(self, query: CursorRequest) -> tuple[Sequence[TaskRun], str | None]:
        """Runs after the query's cursor, and the cursor of the next page."""
        return await self.runs.cursor(query)

    async def get(self, task_id: UUID) -> TaskRun:
        """One run.

        Raises:
            NotFoundError: It does not exist.
        """
        return await self.runs.get(task_id)

    async def revoke(self, task_id: UUID) -> TaskRun:
        """Keep a run from starting, or terminate it; its state shows later whether that succeeded.

        Raises:
            NotFoundError: The run does not exist.
            ConflictError: The run has finished.
        """
        run = await self.runs.get(task_id)
        if run.is_finished:
            raise ConflictError("The run has finished.", error="tasks.finished")
        await self._revoke([run])
        return run

    async def revoke_many(self, task_ids: Sequence[UUID]) -> list[RevokeResult]:
        """Revoke those of the runs that have not finished; returns what became of each."""
        known = {run.id: run for run in await self.runs.list({"id__in": task_ids})}
        unfinished = [run for run in known.values() if not run.is_finished]
        results = [
            RevokeResult(
                task_id=task_id,
                outcome="unknown" if task_id not in known else "finished" if known[task_id].is_finished else "revoked",
            )
            for task_id in task_ids
        ]
        if unfinished:
            await self._revoke(unfinished)
        return results

    async def retry(self, task_id: UUID, actor: Actor) -> TaskRun:
        """Send a finished run's task again, as a new run.

        Raises:
            NotFoundError: The run does not exist.
            PermissionDeniedError: The actor does not hold the permission that the task requires.
            ConflictError: The run has not finished, or its arguments are not stored completely.
        """
        run = await self.runs.get(task_id)
        if not run.is_finished:
            raise ConflictError("The run has not finished.", error="tasks.unfinished")
        if not run.is_complete:
            raise ConflictError("The run's arguments were not kept.", error="tasks.arguments_not_kept")
        return await self._repeat(run, actor)

    async def retry_failed(self, choice: RunsToRetry, actor: Actor) -> Sequence[TaskRun]:
        """Send failed runs again whose arguments are stored completely; returns the new runs.

        Idempotent: runs that were already repeated are skipped.

        Raises:
            PermissionDeniedError: The actor does not hold the permission that a task requires; none is repeated.
        """
        where: dict[str, Any] = {"state": RunState.FAILURE, "is_complete": True, "retried_by": None}
        if choice.ids is not None:
            where["id__in"] = choice.ids
        if choice.name is not None:
            where["name"] = choice.name
        runs = await self.runs.lock_rows(where, order=("id",), limit=MAXIMUM_IDS)
        return [await self._repeat(run, actor) for run in runs]

    async def record(self) -> int:
        """Persist pending run events to `task_runs`; returns how many.

        Events stay in the stream until the transaction has committed.
        """
        if not await self.events.is_any_waiting() or not await self.runs.lock():
            return 0
        # Read only while holding the lock, so that no event is applied twice.
        events = await self.events.oldest(BATCH)
        if not events:
            return 0
        changed, finished, refused = await self.runs.apply_all(events)
        if refused:
            await self.events.set_aside(refused)
        for run in finished:
            if run.requested_by:
                self.uow.emit("task.finished", TaskFinished.model_validate(run), room=user_room(run.requested_by))
        if await is_anyone_in(self.resources.redis, OPS_ROOM):
            for run in changed[-WATCHED:]:
                self.uow.emit("run.changed", RunResponse.model_validate(run), room=OPS_ROOM)
        ended = Counter(str(run.state) for run in finished)
        self.uow.after_commit("delete run events", lambda: self.events.delete(list(events)))
        self.uow.after_commit("count runs", lambda: self.reports.count_runs(ended))
        return len(events) - len(refused)

    async def prune(self) -> int:
        """Delete the oldest runs and idempotency keys, a batch of each, after `TASK_RUN_RETENTION_DAYS`.

        And links in e-mails that have expired.

        Returns:
            How many; if a batch was full, another run follows at once.
        """
        before = utc_now() - timedelta(days=self.resources.settings.celery.run_retention_days)
        runs = await self.runs.prune(before, BATCH)
        keys = await IdempotencyKeyCRUD(self.uow.session).prune(before, BATCH)
        await EmailLinkCRUD(self.uow.session).purge_expired(utc_now() - KEPT)
        if BATCH in (runs, keys):
            self.uow.enqueue("tasks.prune")
        return runs + keys

    async def _revoke(self, runs: Sequence[TaskRun]) -> None:
        for run in runs:
            await self.events.revoke(run.id)
        await self.resources.tasks.publisher.revoke([run.id for run in runs])
        for run in runs:
            if await OutboxCRUD(self.uow.session).delete_many({"id": run.id}):
                await self.runs.update(run, {"state": RunState.REVOKED, "finished_at": utc_now()})
            elif run.state != RunState.STARTED:
                # Workers report the revocation only when the message reaches them, which may be much later.
                await self.events.add(RunEvent(id=run.id, state=RunState.REVOKED, error="revoked"))

    async def _repeat(self, run: TaskRun, actor: Actor) -> TaskRun:
        task = (await self.resources.tasks.publisher.catalog()).get(run.name)
        if task is not None and task.requires is not None:  # internal tasks were sent by code, and may be sent again
            actor.require_start(task)
        call = TaskCall(run.name, run.args, run.kwargs, retry_of=run.id)
        await self.runs.update(run, {"retried_by": self.uow.enqueue_call(call)})
        return queued_run(call)
