from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from pydantic import TypeAdapter
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.effects import TaskCall, TaskPublisher
from src.core.exceptions import ServiceUnavailableError
from src.core.outages import report_outage
from src.core.stores.errors import as_unavailable, summary
from src.core.telemetry.spans import continued
from src.crud.outbox import OutboxCRUD
from src.crud.task_run import queued_run
from src.models.outbox import OutboxMessage
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

TOPIC = "task"
BATCH = 500
# Younger messages are being sent by the process that stored them.
RELAY_AFTER = timedelta(seconds=5)

_CALL = TypeAdapter(TaskCall)


class OutboxService:
    """Transactional outbox for tasks: each call is a row, committed with its data and deleted once it is sent.

    The process that commits also sends. The task `outbox.relay` sends what remains because the broker was unavailable
    or the process died. Delivery is at least once; a call that is sent twice has the same id.
    """

    def __init__(self, publisher: TaskPublisher) -> None:
        self.publisher = publisher

    async def store(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Insert the calls, and their runs, in the transaction of the session."""
        session.add_all(queued_run(call) for call in calls)
        session.add_all(OutboxMessage(id=call.id, topic=TOPIC, key=call.key, payload=_payload(call)) for call in calls)

    async def deliver(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Send the calls of a committed transaction; on failure they are left to the relay."""
        outbox = OutboxCRUD(session)
        try:
            await self._send(outbox, [call for call in calls if call.key is None])
            for key in dict.fromkeys(call.key for call in calls if call.key is not None):
                await self._send(outbox, _calls(await outbox.take_key(TOPIC, key)))
            await session.commit()
        except Exception as error:
            # The data is committed: an error would make the caller repeat the request.
            if unavailable := as_unavailable(error):
                report_outage(unavailable.store, summary(error))
            else:
                log.exception("tasks_delayed", tasks=[call.name for call in calls])

    async def relay(self, session: AsyncSession) -> int:
        """Send overdue calls, oldest first; returns how many were sent. The rest stay for the next relay."""
        outbox = OutboxCRUD(session)
        return await self._send(outbox, _calls(await outbox.take_overdue(TOPIC, BATCH, utc_now() - RELAY_AFTER)))

    async def _send(self, outbox: OutboxCRUD, calls: Sequence[TaskCall]) -> int:
        sent, failed_keys = [], set()
        for call in calls:
            if call.key is not None and call.key in failed_keys:
                continue
            try:
                with continued(call.traceparent):
                    await self.publisher.send(call)
                sent.append(call.id)
            except ServiceUnavailableError as error:
                report_outage(error.store, summary(error))  # the relay sends the rest
                break
            except Exception:
                # Go on, so that the calls that were sent are deleted and not sent again.
                log.exception("task_not_sent", task=call.name, task_id=str(call.id))
                failed_keys.add(call.key)
        if sent:
            await outbox.delete_delivered(sent)
        return len(sent)


def _payload(call: TaskCall) -> dict[str, Any]:
    payload: dict[str, Any] = _CALL.dump_python(call, mode="json", exclude={"id", "key"})
    return payload


def _calls(messages: Sequence[OutboxMessage]) -> list[TaskCall]:
    return [_CALL.validate_python({**message.payload, "id": message.id, "key": message.key}) for message in messages]
