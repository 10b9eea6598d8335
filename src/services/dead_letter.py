from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from src.core.exceptions import NotFoundError
from src.core.resources import Resources
from src.core.tasks.info import TaskInfo
from src.core.tasks.queues import DeadLetter, DeadLetterFilter
from src.crud.run_event import RunEventCRUD
from src.schemas.dead_letter import MalformedMessages
from src.schemas.list_params import MAXIMUM_IDS
from src.services.actor import Actor
from src.utils.masking import MASK, is_secret

SHOWN = 20


class DeadLetterService:
    """Messages that no worker could run, or whose run gave up."""

    def __init__(self, resources: Resources) -> None:
        self.publisher = resources.tasks.publisher
        self.events = RunEventCRUD(resources.redis)

    async def page(self, choice: DeadLetterFilter, page: int, page_size: int) -> tuple[Sequence[DeadLetter], int]:
        """One page of the dead letters, newest first, and how many there are."""
        letters, total = await self.publisher.queues.dead_letters(
            choice, offset=(page - 1) * page_size, limit=page_size
        )
        tasks = await self.publisher.catalog()
        return [_masked(letter, tasks.get(letter.task or "")) for letter in letters], total

    async def retry(self, choice: DeadLetterFilter, actor: Actor) -> int:
        """Return up to 1,000 dead letters to the queues that they came from; returns how many.

        Raises:
            PermissionDeniedError: The actor does not hold the permission that a task requires; none is returned.
        """
        letters = await self._choose(choice)
        tasks: Mapping[str, TaskInfo] = await self.publisher.catalog()
        for name in {letter.task for letter in letters if letter.task}:
            task = tasks.get(name)
            if task is not None and task.requires is not None:  # internal tasks were sent by code
                actor.require_start(task)
        return await self.publisher.queues.resend({letter.id for letter in letters})

    async def drop(self, choice: DeadLetterFilter) -> int:
        """Delete up to 1,000 dead letters; returns how many."""
        return await self.publisher.queues.drop({letter.id for letter in await self._choose(choice)})

    async def retry_one(self, letter_id: str, actor: Actor) -> None:
        """Return a dead letter to the queue that it came from.

        Raises:
            NotFoundError: It does not exist, or does not say where it came from.
            PermissionDeniedError: The actor does not hold the permission that its task requires.
        """
        if not await self.retry(DeadLetterFilter([letter_id]), actor):
            raise NotFoundError("Dead letter not found.")

    async def drop_one(self, letter_id: str) -> None:
        """Delete a dead letter.

        Raises:
            NotFoundError: It does not exist.
        """
        if not await self.drop(DeadLetterFilter([letter_id])):
            raise NotFoundError("Dead letter not found.")

    async def malformed(self) -> list[MalformedMessages]:
        """The newest messages and run events that could not be read, and how many there are."""
        messages, total = await self.publisher.queues.malformed(SHOWN)
        events, events_total = await self.events.malformed(SHOWN)
        return [
            MalformedMessages(source="messages", total=total, records=[*messages]),
            MalformedMessages(source="run_events", total=events_total, records=[*events]),
        ]

    async def _choose(self, choice: DeadLetterFilter) -> Sequence[DeadLetter]:
        letters, _ = await self.publisher.queues.dead_letters(choice, limit=MAXIMUM_IDS)
        return letters


def _masked(letter: DeadLetter, task: TaskInfo | None) -> DeadLetter:
    """The letter without the positional arguments that are secret by the names of the task's parameters."""
    if task is None or letter.args is None:
        return letter
    named = zip_longest(letter.args, [*task.signature.parameters][: len(letter.args)], fillvalue="")
    return replace(letter, args=[MASK if is_secret(name) else value for value, name in named])
