from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import NOT_YOURS_TO_START
from src.core.exceptions import ConflictError, NotFoundError, raises
from src.core.tasks.queues import DeadLetterFilter
from src.deps.audit import AuditEntryDep
from src.deps.permission import ActorDep, require_permission
from src.deps.rate_limit import EXPENSIVE
from src.deps.task import DeadLetterServiceDep
from src.schemas.dead_letter import (
    DeadLetterChoice,
    DeadLetterCount,
    DeadLetterQuery,
    DeadLetterResponse,
    LetterId,
    MalformedMessages,
)
from src.schemas.response import Page, Response, ok

router = APIRouter(
    prefix="/tasks",
    tags=["Task"],
    route_class=AuditedRoute,
    dependencies=[Depends(require_permission), EXPENSIVE],
)

LetterPath = Annotated[LetterId, Path(alias="letterId", description="Id of the dead letter.")]

NOT_FOUND = NotFoundError("Dead letter not found.")
OTHER_BROKER = ConflictError("This broker has tools of its own for it.", error="tasks.other_broker")


@router.get("/dead-letters")
@raises(OTHER_BROKER)
async def list_dead_letters(
    query: Annotated[DeadLetterQuery, Query()], letters: DeadLetterServiceDep
) -> Response[Page[DeadLetterResponse]]:
    """List messages that no worker could run, or whose run gave up, newest first."""
    choice = DeadLetterFilter(task=query.task, queue=query.queue)
    rows, total = await letters.page(choice, query.page, query.page_size)
    records = [DeadLetterResponse.model_validate(letter) for letter in rows]
    return ok(Page(page=query.page, page_size=query.page_size, total=total, records=records))


@router.post("/dead-letters/retry")
@raises(OTHER_BROKER, NOT_YOURS_TO_START)
async def retry_dead_letters(
    body: DeadLetterChoice, letters: DeadLetterServiceDep, actor: ActorDep, entry: AuditEntryDep
) -> Response[DeadLetterCount]:
    """Retry dead letters: they return to the queues that they came from."""
    count = await letters.retry(_filter(body), actor)
    entry.details.update(ids=body.ids, task=body.task, queue=body.queue, count=count)
    return ok(DeadLetterCount(count=count))


@router.post("/dead-letters/drop")
@raises(OTHER_BROKER)
async def drop_dead_letters(
    body: DeadLetterChoice, letters: DeadLetterServiceDep, entry: AuditEntryDep
) -> Response[DeadLetterCount]:
    """Drop dead letters: they are deleted for good."""
    count = await letters.drop(_filter(body))
    entry.details.update(ids=body.ids, task=body.task, queue=body.queue, count=count)
    return ok(DeadLetterCount(count=count))


@router.post("/dead-letters/{letterId}/retry")
@raises(NOT_FOUND, OTHER_BROKER, NOT_YOURS_TO_START)
async def retry_dead_letter(letter_id: LetterPath, letters: DeadLetterServiceDep, actor: ActorDep) -> Response[None]:
    """Retry a dead letter: it returns to the queue that it came from."""
    await letters.retry_one(letter_id, actor)
    return ok(None)


@router.delete("/dead-letters/{letterId}")
@raises(NOT_FOUND, OTHER_BROKER)
async def drop_dead_letter(letter_id: LetterPath, letters: DeadLetterServiceDep) -> Response[None]:
    """Drop a dead letter: it is deleted for good."""
    await letters.drop_one(letter_id)
    return ok(None)


@router.get("/malformed")
@raises(OTHER_BROKER)
async def list_malformed_messages(letters: DeadLetterServiceDep) -> Response[list[MalformedMessages]]:
    """List messages that could not be read, and were set aside; the newest 20 of each source."""
    return ok(await letters.malformed())


def _filter(choice: DeadLetterChoice) -> DeadLetterFilter:
    return DeadLetterFilter(None if choice.ids is None else {*choice.ids}, choice.task, choice.queue)
