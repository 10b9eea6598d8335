"""A task that was recorded leaves at least once, in order where that was asked for; one that was rolled back never."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, delete, select, update

from src.core.effects import TaskCall
from src.core.exceptions import ServiceUnavailableError
from src.core.resources import Resources
from src.crud.idempotency_key import IdempotencyKeyCRUD
from src.crud.outbox import OutboxCRUD
from src.models.idempotency_key import IdempotencyKey
from src.models.outbox import OutboxMessage
from src.models.task_run import RunState, TaskRun
from src.queues.tasks import outbox as outbox_tasks
from src.services.audit import AuditService
from src.services.outbox import RELAY_AFTER, TOPIC, OutboxService
from src.utils.date import utc_now

relay_all: Any = outbox_tasks.relay  # whose dependencies are filled in

ROOT = Path(__file__).resolve().parents[2]


class Broker:
    """Takes calls, or is away."""

    def __init__(self) -> None:
        self.taken: list[TaskCall] = []
        self.is_away = False
        self.refuses: set[str] = set()
        self.chokes_on: set[str] = set()

    async def send(self, call: TaskCall) -> None:
        if call.name in self.chokes_on:
            raise ValueError("No message can be made of this.")
        if self.is_away or call.name in self.refuses:
            raise ServiceUnavailableError("The broker is away.")
        self.taken.append(call)

    @property
    def names(self) -> list[str]:
        return [call.name for call in self.taken]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def outbox(resources: Resources, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """An outbox on that broker; whatever rows the test leaves are removed."""
    outbox = OutboxService(broker)  # type: ignore[arg-type]  # it sends only
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
    """Let the rows be as old as the relay wants them."""
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

    async def test_the_run_is_in_the_ledger_under_the_id_that_was_sent(
        self, resources: Resources, broker: Broker
    ) -> None:
        async with resources.unit_of_work() as uow:
            run_id = uow.enqueue("first", number=1, password="hunter2")
        assert broker.taken[0].id == run_id
        assert broker.taken[0].kwargs["password"] == "hunter2"
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
class TestABrokerThatIsAway:
    async def test_the_caller_is_not_told_and_the_rows_wait(self, resources: Resources, broker: Broker) -> None:
        broker.is_away = True
        async with resources.unit_of_work() as uow:
            uow.enqueue("first")
            uow.enqueue("second")
        assert await waiting(resources) == ["first", "second"]

    async def test_the_relay_sends_them_in_order_under_their_ids(self, resources: Resources, broker: Broker) -> None:
        broker.is_away = True
        async with resources.unit_of_work() as uow:
            ids = [uow.enqueue(name) for name in ("first", "second", "third")]
        broker.is_away = False
        await age(resources)
        assert await relay(resources) == 3
        assert [call.id for call in broker.taken] == ids
        assert await waiting(resources) == []

    async def test_what_left_before_it_went_away_is_not_sent_again(self, resources: Resources, broker: Broker) -> None:
        broker.refuses = {"second"}
        async with resources.unit_of_work() as uow:
            for name in ("first", "second", "third"):
                uow.enqueue(name)
        broker.refuses = set()
        await age(resources)
        await relay(resources)
        assert broker.names == ["first", "second", "third"]

    async def test_a_relay_leaves_young_rows_to_those_who_recorded_them(
        self, resources: Resources, broker: Broker
    ) -> None:
        broker.is_away = True
        async with resources.unit_of_work() as uow:
            uow.enqueue("first")
        broker.is_away = False
        assert await relay(resources) == 0


@pytest.mark.usefixtures("outbox")
class TestACallThatCannotBeSent:
    async def test_others_leave_once(self, resources: Resources, broker: Broker) -> None:
        broker.chokes_on = {"second"}
        async with resources.unit_of_work() as uow:
            for name in ("first", "second", "third"):
                uow.enqueue(name)
        await age(resources)
        await relay(resources)
        assert (broker.names, await waiting(resources)) == (["first", "third"], ["second"])

    async def test_those_of_its_key_wait_behind_it(self, resources: Resources, broker: Broker) -> None:
        broker.chokes_on = {"first"}
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("first", key="order:1"))
            uow.enqueue_call(TaskCall("second", key="order:1"))
        await age(resources)
        await relay(resources)
        assert (broker.names, await waiting(resources)) == ([], ["first", "second"])


@pytest.mark.usefixtures("outbox")
class TestTheTask:
    @pytest.fixture
    def audit_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(*_: object) -> int:
            raise ServiceUnavailableError("MongoDB is away.")

        monkeypatch.setattr(AuditService, "relay", fail)

    @pytest.mark.usefixtures("audit_is_away")
    async def test_what_was_sent_stays_sent_while_mongodb_is_away(self, resources: Resources, broker: Broker) -> None:
        broker.is_away = True
        async with resources.unit_of_work() as uow:
            uow.enqueue("first")
        broker.is_away = False
        await age(resources)
        with pytest.raises(ServiceUnavailableError):
            await relay_all()
        assert (broker.names, await waiting(resources)) == (["first"], [])

    @pytest.mark.usefixtures("audit_is_away")
    async def test_an_empty_outbox_is_left_alone(self, resources: Resources) -> None:
        async with resources.engine.begin() as connection:
            await connection.execute(delete(OutboxMessage))
        assert await relay_all() == 0


@pytest.mark.usefixtures("outbox")
class TestOrder:
    async def test_calls_of_a_key_wait_for_those_before_them(self, resources: Resources, broker: Broker) -> None:
        broker.is_away = True
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("first", key="order:1"))
        broker.is_away = False
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("second", key="order:1"))
        assert broker.names == ["first", "second"]

    async def test_a_key_that_somebody_else_delivers_is_passed_over(self, resources: Resources, broker: Broker) -> None:
        broker.is_away = True
        async with resources.unit_of_work() as uow:
            uow.enqueue_call(TaskCall("mine", key="order:1"))
            uow.enqueue_call(TaskCall("other", key="order:2"))
        broker.is_away = False
        await age(resources)
        async with resources.unit_of_work() as uow:
            # Another process holds the key while it sends.

            await OutboxCRUD(uow.session).take_key("task", "order:1")
            assert await relay(resources) == 1
        assert broker.names == ["other"]

    async def test_two_relays_share_the_work(self, resources: Resources, broker: Broker) -> None:
        broker.is_away = True
        async with resources.unit_of_work() as uow:
            for number in range(20):
                uow.enqueue(f"task {number}")
        broker.is_away = False
        await age(resources)
        async with resources.unit_of_work() as first, resources.unit_of_work() as second:
            await resources.tasks.relay(first.session)
            assert await resources.tasks.relay(second.session) == 0
        assert len(set(broker.names)) == len(broker.names) == 20


class TestDoingOnce:
    @pytest.fixture
    async def key(self, resources: Resources) -> AsyncIterator[str]:
        key = uuid4().hex
        yield key
        async with resources.engine.begin() as connection:
            await connection.execute(delete(IdempotencyKey).where(col(IdempotencyKey.key) == key))

    async def test_only_the_first_claim_holds(self, resources: Resources, key: str) -> None:
        async with resources.unit_of_work() as uow:
            assert await IdempotencyKeyCRUD(uow.session).acquire(key)
        async with resources.unit_of_work() as uow:
            assert not await IdempotencyKeyCRUD(uow.session).acquire(key)

    async def test_a_rollback_gives_it_back(self, resources: Resources, key: str) -> None:
        async def fail() -> None:
            async with resources.unit_of_work() as uow:
                await IdempotencyKeyCRUD(uow.session).acquire(key)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await fail()
        async with resources.unit_of_work() as uow:
            assert await IdempotencyKeyCRUD(uow.session).acquire(key)


def test_ids_are_ordered_as_they_were_recorded() -> None:
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
        # never reached: the process is gone between the commit and the broker

asyncio.run(main())
"""


@pytest.mark.process
@pytest.mark.usefixtures("outbox")
class TestAProcessKilledBetweenCommitAndBroker:
    async def test_nothing_is_lost(self, resources: Resources, broker: Broker) -> None:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASH, cwd=ROOT)
        assert await process.wait() == -signal.SIGKILL
        await age(resources)
        assert await relay(resources) == 1
        assert [(call.name, call.kwargs) for call in broker.taken] == [("crash.committed", {"number": 1})]
        assert await waiting(resources) == []
