"""Workers, the tasks that they run, and everything that ends a worker, as a state machine of Hypothesis.

At the end of each sequence every task has one outcome, the same in the result store and in the run history. A task
whose message was acknowledged never runs again, and if no process was lost, each task ran once.
"""

import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from redis import Redis

from src.core.config import settings
from src.core.tasks.run_event import STREAM, RunEvent, revocation_key
from src.queues.broker.malformed import DEAD_LETTERS
from src.queues.celery import Celery
from tests.queues.conftest import CeleryProcess, running
from tests.queues.restartable import RestartableRedis
from tests.support.pools import ASYNCIO, Pool
from tests.support.waiting import PATIENCE_SECONDS, wait_until

# How each kind of task ends, unless it is revoked or loses its workers too often.
OUTCOMES = {"work": "SUCCESS", "fail": "FAILURE", "again": "SUCCESS", "overdue": "FAILURE", "hard_limited": "FAILURE"}
ENDED = {"SUCCESS", "FAILURE", "REVOKED"}
MAXIMUM_WORKERS = 2
MAXIMUM_REDELIVERIES = 3
# A hard limit of the prefork pool costs a process, and the next one opens its stores.
SECONDS_PER_TASK = 10


class Workers(RuleBasedStateMachine):
    """Tasks on one queue, its workers, and their broker.

    Sequences follow each other on one broker and one database of the run history, which each of them empties.

    Attributes:
        pool: The pool of the workers.
        queue: Their queue.
        store: Their broker and result store.
        directory: Where logs go.
    """

    pool: ClassVar[Pool] = ASYNCIO
    queue: ClassVar[str]
    store: ClassVar[RestartableRedis]
    directory: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.key = f"check:{uuid4()}"
        self.home = self.directory / self.key
        self.home.mkdir()
        self.workers_context = running(self.home)
        self.run = self.workers_context.__enter__()
        self.workers: list[CeleryProcess] = []
        self.sent: dict[str, str] = {}
        self.revoked: set[str] = set()
        self.losses = 0
        self.done: dict[str, int] = {}  # how often each task that can no longer run has started
        self.history = Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True)
        self.history.flushdb()
        self.store.clear()
        self.connect()

    @initialize()
    def begin(self) -> None:
        self.start()
        for kind in OUTCOMES:  # Hypothesis leaves rules out of some sequences
            self.send(kind, 1)

    def connect(self) -> None:
        self.sender = Celery("sender", broker=self.store.url, set_as_current=False)

    def start(self) -> None:
        if not self.workers:  # nobody has what is unacknowledged
            self.store.expire_visibility()
        worker = self.pool.start(self.run, self.queue)
        worker.wait_for("ready.")
        self.workers.append(worker)

    @rule(kind=st.sampled_from(list(OUTCOMES)), count=st.integers(1, 4))
    def send(self, kind: str, count: int) -> None:
        for _ in range(count):
            name = str(uuid4())
            arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
                "work": ((self.key, name), {}),
                "again": ((2,), {}),
                "overdue": ((), {"handles": False}),
            }
            args, kwargs = arguments.get(kind, ((), {}))
            self.sender.send_task(f"sample.{kind}", args, kwargs, queue=self.queue, task_id=name)
            self.sent[name] = kind

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(list(self.sent)))
        self.revoked.add(name)
        self.history.set(revocation_key(name), 1, ex=600)
        self.sender.control.revoke(name)

    @precondition(lambda self: self.workers)
    @rule(number=st.sampled_from([signal.SIGTERM, signal.SIGQUIT, signal.SIGKILL]))
    def end(self, number: signal.Signals) -> None:
        self.note_done()
        worker = self.workers.pop(0)
        if number == signal.SIGKILL:
            worker.kill()
        else:
            os.kill(worker.psutil.pid, number)
            wait_until(lambda: worker.code is not None)
        self.losses += number != signal.SIGTERM

    @precondition(lambda self: len(self.workers) < MAXIMUM_WORKERS)
    @rule()
    def add(self) -> None:
        self.start()

    @precondition(lambda self: self.workers)
    @rule()
    def redeploy(self) -> None:
        self.start()
        assert self.workers.pop(0).stop() == 0

    @rule()
    def restart_broker(self) -> None:
        self.note_done()
        self.sender.close()
        self.store.restart()
        self.connect()
        self.losses += 1

    def teardown(self) -> None:
        try:
            self.settle()
            self.verify()
        finally:
            self.workers_context.__exit__(None, None, None)
            self.sender.close()
            self.history.close()

    def settle(self) -> None:
        """Wait until every task has an outcome. What a lost worker had returns once no other is left (see `start`)."""
        if self.losses:
            self.stop_all()
        if not self.workers and len(self.find_done()) < len(self.sent):
            self.start()
        patience = PATIENCE_SECONDS + SECONDS_PER_TASK * len(self.sent)
        try:
            wait_until(lambda: len(self.find_done()) >= len(self.sent), patience)
        except AssertionError as error:
            raise AssertionError("\n".join(self.unfinished())) from error
        self.stop_all()

    def stop_all(self) -> None:
        while self.workers:
            assert self.workers.pop().stop() == 0

    def find_done(self) -> list[str]:
        """The tasks that have an outcome and no message: a worker stores that a task is revoked before it meets it."""
        ended = [name for name, state in self.store.results().items() if state in ENDED]
        messages = [content for key, content in self.store.contents().items() if not key.startswith(DEAD_LETTERS)]
        return [name for name in ended if not any(name in content for content in messages)]

    def unfinished(self) -> list[str]:
        """Each task without an outcome, what the run history says of it, and where in the broker its message is."""
        results, recorded, done = self.store.results(), self.recorded(), self.find_done()
        return [
            f"{kind} {name}: {results.get(name)}, {recorded[name]}, in {self.store.keys_with(name)}"
            for name, kind in self.sent.items()
            if name not in done
        ]

    def note_done(self) -> None:
        """Note the tasks that can no longer run."""
        done = self.find_done()
        starts = self.count_starts()
        self.done |= {name: starts[name] for name in done}

    def verify(self) -> None:
        recorded = self.recorded()
        results = self.store.results()
        starts = self.count_starts()
        runs, finished = (Counter(self.history.lrange(key, 0, -1)) for key in (f"{self.key}:started", self.key))
        for name, number in self.done.items():
            assert starts[name] == number, f"{self.sent[name]} {name} was done, but ran again: {self.history_of(name)}"
        for name, kind in self.sent.items():
            state = results[name]
            assert state in self.allowed(name, kind), f"{kind} {name}: {state}"
            assert state in recorded[name], f"{kind} {name}: {state}, but the history has {self.history_of(name)}"
            if not self.losses:
                assert len(recorded[name]) == 1, f"{kind} {name}: {self.history_of(name)}"
                assert runs[name] <= 1, f"{kind} {name} ran {runs[name]} times"
                assert kind != "work" or finished[name] == (state == "SUCCESS"), f"{name}: {state}"

    def history_of(self, name: str) -> list[str]:
        return [f"{event.at:%T.%f} {event.state} {event.error}" for event in self.events() if str(event.id) == name]

    def allowed(self, name: str, kind: str) -> set[str]:
        allowed = {OUTCOMES[kind]} | ({"REVOKED"} if name in self.revoked else set())
        return allowed | ({"FAILURE"} if self.losses > MAXIMUM_REDELIVERIES else set())

    def recorded(self) -> dict[str, list[str]]:
        """The states in which runs ended, by the run history."""
        recorded: dict[str, list[str]] = {name: [] for name in self.sent}
        for event in self.events():
            if event.state in ENDED and str(event.id) in recorded:
                recorded[str(event.id)].append(event.state)
        return recorded

    def count_starts(self) -> Counter[str]:
        return Counter(str(event.id) for event in self.events() if event.state == "STARTED")

    def events(self) -> list[RunEvent]:
        """The run history's stream."""
        entries: Any = self.history.xrange(STREAM)
        return [RunEvent.model_validate_json(entry["event"]) for _, entry in entries]
