from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.effects import TaskCall, TaskPublisher
from src.core.exceptions import ServiceUnavailableError
from src.crud.outbox import OutboxCRUD
from src.crud.task_run import queued_run
from src.models.outbox import OutboxMessage
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

TOPIC = "task"
BATCH = 500
# Calls younger than this are being sent by the process that recorded them.
RELAY_AFTER = timedelta(seconds=5)

_CALL = TypeAdapter(TaskCall)


class OutboxService:
    """Sends tasks at least once: each is a row, written with the data that it belongs to and deleted when it has left.

    The process that commits sends at once; whatever it leaves behind, because the broker is away or it died in
    between, goes with the relay. A call that is sent twice has the same id both times.
    """

    def __init__(self, publisher: TaskPublisher) -> None:
        self.publisher = publisher

    async def store(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Keep the calls as rows of the transaction that they belong to, and note their runs in the ledger."""
        session.add_all(queued_run(call) for call in calls)
        session.add_all(OutboxMessage(id=call.id, topic=TOPIC, key=call.key, payload=_payload(call)) for call in calls)

    async def deliver(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Send the calls of a transaction that has committed; what fails is left to the relay."""
        outbox = OutboxCRUD(session)
        try:
            await self._send(outbox, [call for call in calls if call.key is None])
            for key in dict.fromkeys(call.key for call in calls if call.key is not None):
                await self._send(outbox, _calls(await outbox.take_key(TOPIC, key)))
            await session.commit()
        except Exception:
            # The data is committed: telling the caller that it failed would make them do it twice.
            log.exception("tasks_delayed", tasks=[call.name for call in calls])

    async def relay(self, session: AsyncSession) -> int:
        """Send what was left behind, oldest first; returns how many. What fails stays for the next time."""
        outbox = OutboxCRUD(session)
        return await self._send(outbox, _calls(await outbox.take_left(TOPIC, BATCH, utc_now() - RELAY_AFTER)))

    async def _send(self, outbox: OutboxCRUD, calls: Sequence[TaskCall]) -> int:
        sent, stuck = [], set()
        for call in calls:
            if call.key is not None and call.key in stuck:
                continue
            try:
                await self.publisher.send(call)
                sent.append(call.id)
            except ServiceUnavailableError as error:
                left = [call.name for call in calls if call.id not in sent]
                log.warning("tasks_delayed", tasks=left, reason=str(error))
                break
            except Exception:
                # No reason to send the others again and again: what has left must be forgotten.
                log.exception("task_not_sent", task=call.name, task_id=str(call.id))
                stuck.add(call.key)
        if sent:
            await outbox.delivered(sent)
        return len(sent)


def _payload(call: TaskCall) -> dict[str, Any]:
    payload: dict[str, Any] = _CALL.dump_python(call, mode="json", exclude={"id", "key"})
    return payload


def _calls(messages: Sequence[OutboxMessage]) -> list[TaskCall]:
    return [_CALL.validate_python({**message.payload, "id": message.id, "key": message.key}) for message in messages]
