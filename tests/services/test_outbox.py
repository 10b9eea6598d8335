"""Enqueued tasks are sent at least once, in order where requested, and never after a rollback."""

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, delete, select, update

from src.core.effects import TaskCall
from src.core.exceptions import ServiceUnavailableError
from src.core.resources import Resources
from src.crud.idempotency_key import IdempotencyKeyCRUD
from src.crud.outbox import OutboxCRUD
from src.crud.refusal import RefusalCRUD
from src.models.idempotency_key import IdempotencyKey
from src.models.outbox import OutboxMessage
from src.models.task_run import RunState, TaskRun
from src.queues.tasks import outbox as outbox_tasks
from src.services.audit import AuditService
from src.services.outbox import RELAY_AFTER, TOPIC, OutboxService
from src.utils.date import utc_now
from tests.support.fork_server import run_python

relay_all: Any = outbox_tasks.relay  # its dependencies are injected


class Broker:
    """A broker that accepts calls, is unavailable, or fails on some names."""

    def __init__(self) -> None:
        self.accepted: list[TaskCall] = []
        self.is_down = False
        self.refuses: set[str] = set()
        self.fails_on: set[str] = set()

    async def send(self, call: TaskCall) -> None:
        if call.name in self.fails_on:
            raise ValueError("This cannot be serialized.")
        if self.is_down or call.name in self.refuses:
            raise ServiceUnavailableError("The broker is unavailable.")
        self.accepted.append(call)

    @property
    def names(self) -> list[str]:
        return [call.name for call in self.accepted]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def outbox(resources: Resources, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """An outbox on that broker; rows that the test leaves are deleted."""
    outbox = OutboxService(broker)  # type: ignore[arg-type]  # only `send` is used
    monkeypatch.setattr(resources, "tasks", outbox)
    yield outbox
    async with resources.engine.begin() as connection:
        await connection.execute(delete(OutboxMessage))
        await connection.execute(delete(TaskRun))


async def waiting(resources: Resources) -> list[str]:
    async with resources.sessions() as session:
        of_tasks = select(OutboxMessage).where(OutboxMessage.topic == TOPIC).order_by(col(OutboxMessage.id))
        rows = (await session.exec(of_tasks)).all()
    return [row.payload["name"] for row in rows]


async def age(resources: Resources) -> None:
    """Make the rows old enough for the relay."""
    async with resources.sessions() as session:
        await session.exec(update(OutboxMessage).values(create_time=utc_now() - RELAY_AFTER - timedelta(seconds=1)))
        await session.commit()


async def relay(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return await resources.tasks.relay(uow.session)


@pytest.mark.usefixtures("outbox")
class TestSending:
    async def test_a_commit_sends_and_leaves_no_row(self, resources: Resources, broker: Broker) -> None:
        async with resources.unit_of_work() as uow:
            uow.enqueue("first", number=1)
            uow.enqueue("second")
        assert broker.names == ["first", "second"]
        assert await waiting(resources) == []

    async def test_the_run_has_the_id_that_was_sent(self, resources: Resources, broker: Broker) -> None:
        async with resources.unit_of_work() as uow:
            run_id = uow.enqueue("first", number=1, password="hunter2")
        assert broker.accepted[0].id == run_id
        assert broker.accepted[0].kwargs["password"] == "hunter2"
        async with resources.sessions() as session:
            run = (await session.exec(select(TaskRun).where(TaskRun.id == run_id))).one()
        assert (run.state, run.kwargs) == (RunState.PENDING, {"number": 1, "password": "***"})
        assert run.is_complete is False

    async def test_a_rollback_leaves_nothing(self, resources: Resources, broker: Broker) -> None:
        async def fail() -> None:
            async with resources.unit_of_work() as uow:
                uow.enqueue("first")
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        await age(resources)
        assert (broker.names, await relay(resources)) == ([], 0)


@pytest.mark.usefixtures("outbox")
class TestAnUnavailableBroker:
    async def test_the_caller_gets_no_error_and_the_rows_stay(self, resources: Resources, broker: Broker) -> None:
        broker.is_down = True
        async with resources.unit_of_work() as uow:
            uow.enqueue("first")
            uow.enqueue("second")
        assert await waiting(resources) == ["first", "second"]

    async def test_the_relay_sends_in_order_with_the_same_ids(self, resources: Resources, broker: Broker) -> None:
        broker.is_down = True
        async with resources.unit_of_work() as uow:
            ids = [uow.enqueue(name) for name in ("first", "second", "third")]
        broker.is_down = False
        await age(resources)
        assert await relay(resources) == 3
        assert [call.id for call in broker.accepted] == ids
        assert await waiting(resources) == []

    async def test_calls_sent_before_the_outage_are_not_sent_again(self, resources: Resources, broker: Broker) -> None:
        broker.refuses = {"second"}
        async with resources.unit_of_work() as uow:
            for name in ("first", "second", "third"):
                uow.enqueue(name)
        broker.refuses = set()
        await age(resources)
        await relay(resources)
        assert broker.names == ["first", "second", "third"]

    async def test_the_relay_skips_rows_that_are_being_sent(self, resources: Resources, broker: Broker) -> None:
        broker.is_down = True
        async with resources.unit_of_work() as uow:
            uow.enqueue("first")
        broker.is_down = False
        assert await relay(resources) == 0


@pytest.mark.usefixtures("outbox")
class TestACallThatCannotBeSent:
    async def test_other_calls_are_sent_once(self, resources: Resources, broker: Broker) -> None:
        broker.fails_on = {"second"}
        async with resources.unit_of_work() as uow:
            for name in ("first", "second", "third"):
                uow.enqueue(name)
        await age(resources)
        await relay(resources)
        assert (broker.names, await waiting(resources)) == (["first", "third"], ["second"])

    async def test_later_calls_of_its_key_wait(self, resources: Resources, broker: Broker) -> None:
        broker.fails_on = {"first"}
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("first", key="order:1"))
            uow.enqueue_call(TaskCall("second", key="order:1"))
        await age(resources)
        await relay(resources)
        assert (broker.names, await waiting(resources)) == ([], ["first", "second"])


@pytest.mark.usefixtures("outbox")
class TestRelayTask:
    @pytest.fixture
    def audit_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(*_: object) -> int:
            raise ServiceUnavailableError("MongoDB is unavailable.")

        monkeypatch.setattr(AuditService, "relay", fail)

    @pytest.mark.usefixtures("audit_fails")
    async def test_tasks_stay_sent_while_mongodb_is_unavailable(self, resources: Resources, broker: Broker) -> None:
        broker.is_down = True
        async with resources.unit_of_work() as uow:
            uow.enqueue("first")
        broker.is_down = False
        await age(resources)
        with pytest.raises(ServiceUnavailableError):
            await relay_all()
        assert (broker.names, await waiting(resources)) == (["first"], [])

    @pytest.fixture
    def no_merged_refusals(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Other tests are refused too, and their entries are written when their minute has ended."""

        async def none(*_: object) -> dict[str, None]:
            return {}

        monkeypatch.setattr(RefusalCRUD, "merged", none)

    @pytest.mark.usefixtures("audit_fails", "no_merged_refusals")
    async def test_an_empty_outbox_relays_nothing(self, resources: Resources) -> None:
        async with resources.engine.begin() as connection:
            await connection.execute(delete(OutboxMessage))
        assert await relay_all() == 0


@pytest.mark.usefixtures("outbox")
class TestOrder:
    async def test_calls_of_a_key_wait_for_earlier_ones(self, resources: Resources, broker: Broker) -> None:
        broker.is_down = True
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("first", key="order:1"))
        broker.is_down = False
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("second", key="order:1"))
        assert broker.names == ["first", "second"]

    async def test_a_key_that_is_being_delivered_is_skipped(self, resources: Resources, broker: Broker) -> None:
        broker.is_down = True
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("mine", key="order:1"))
            uow.enqueue_call(TaskCall("other", key="order:2"))
        broker.is_down = False
        await age(resources)
        async with resources.unit_of_work() as uow:
            # Another process has locked the key while it sends.
            await OutboxCRUD(uow.session).take_key("task", "order:1")
            assert await relay(resources) == 1
        assert broker.names == ["other"]

    async def test_two_relays_share_the_work(self, resources: Resources, broker: Broker) -> None:
        broker.is_down = True
        async with resources.unit_of_work() as uow:
            for number in range(20):
                uow.enqueue(f"task {number}")
        broker.is_down = False
        await age(resources)
        async with resources.unit_of_work() as first, resources.unit_of_work() as second:
            await resources.tasks.relay(first.session)
            assert await resources.tasks.relay(second.session) == 0
        assert len(set(broker.names)) == len(broker.names) == 20


class TestIdempotencyKeys:
    @pytest.fixture
    async def key(self, resources: Resources) -> AsyncIterator[str]:
        key = uuid4().hex
        yield key
        async with resources.engine.begin() as connection:
            await connection.execute(delete(IdempotencyKey).where(col(IdempotencyKey.key) == key))

    async def test_a_key_is_acquired_once(self, resources: Resources, key: str) -> None:
        async with resources.unit_of_work() as uow:
            assert await IdempotencyKeyCRUD(uow.session).acquire(key)
        async with resources.unit_of_work() as uow:
            assert not await IdempotencyKeyCRUD(uow.session).acquire(key)

    async def test_a_rollback_releases_the_key(self, resources: Resources, key: str) -> None:
        async def fail() -> None:
            async with resources.unit_of_work() as uow:
                await IdempotencyKeyCRUD(uow.session).acquire(key)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        async with resources.unit_of_work() as uow:
            assert await IdempotencyKeyCRUD(uow.session).acquire(key)


def test_ids_are_ordered_by_creation() -> None:
    ids: list[UUID] = [TaskCall("task").id for _ in range(1000)]
    assert ids == sorted(ids)


CRASH = """
import asyncio, os
from src.core.config import settings
from src.core.resources import open_resources
from src.queues.tasks import outbox as outbox_tasks
from src.services.audit import AuditService
from src.services.outbox import OutboxService

class Dying:
    async def send(self, call):
        os.kill(os.getpid(), 9)

async def main():
    async with open_resources(settings, OutboxService(Dying()), None) as resources:
        async with resources.unit_of_work() as uow:
            uow.enqueue("crash.committed", number=1)
        # never reached: the process is killed between the commit and the broker

asyncio.run(main())
"""


@pytest.mark.process
@pytest.mark.usefixtures("outbox")
class TestAProcessKilledBetweenCommitAndBroker:
    async def test_nothing_is_lost(self, resources: Resources, broker: Broker) -> None:
        ended = await asyncio.to_thread(run_python, "-c", CRASH)
        assert ended.returncode == -signal.SIGKILL
        await age(resources)
        assert await relay(resources) == 1
        assert [(call.name, call.kwargs) for call in broker.accepted] == [("crash.committed", {"number": 1})]
        assert await waiting(resources) == []
