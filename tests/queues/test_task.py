"""Coroutine functions as tasks without a worker: called directly, eagerly, and inspected."""

import inspect
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import pytest

from src.queues.celery import Celery
from src.queues.pool.event_loop import process_loop
from src.queues.task import AsyncTask
from tests.queues import sample


@pytest.fixture
def app() -> Iterator[Celery]:
    """An application without stores, broker or results."""
    with Celery("bare", broker="memory://", set_as_current=False) as app:
        yield app


@pytest.fixture
def add(app: Celery) -> AsyncTask[[int, int], int, Any]:
    @app.task(name="bare.add", shared=False)
    async def add(x: int, y: int) -> int:
        return x + y

    return add


@pytest.fixture(autouse=True)
def own_loop() -> Iterator[None]:
    """An event loop of this test's own."""
    process_loop.stop()
    yield
    process_loop.stop()


class TestCallingDirectly:
    async def test_the_coroutine_is_returned(self, add: AsyncTask[[int, int], int, Any]) -> None:
        assert await add(1, 2) == 3

    def test_a_synchronous_task_runs_at_once(self) -> None:
        assert sample.multiply(2, 3) == 6


class TestEagerMode:
    def test_outside_a_loop(self, add: AsyncTask[[int, int], int, Any]) -> None:
        assert add.apply((1, 2)).get() == 3

    async def test_inside_a_loop(self, add: AsyncTask[[int, int], int, Any]) -> None:
        assert add.apply((1, 2)).get() == 3

    def test_inside_another_task(self, app: Celery, add: AsyncTask[[int, int], int, Any]) -> None:
        @app.task(name="bare.outer", shared=False)
        async def outer() -> int:
            return add.apply((1, 2)).get() + int(await add(3, 4))

        assert outer.apply().get() == 10

    def test_retries_are_eager_too(self, app: Celery) -> None:
        @app.task(name="bare.flaky", bind=True, autoretry_for=(OSError,), retry_kwargs={"countdown": 0}, shared=False)
        async def flaky(self: Any) -> int:
            if self.request.retries < 2:
                raise ConnectionError
            return int(self.request.retries)

        assert flaky.apply().get() == 2

    def test_a_class_may_have_a_coroutine_method(self, app: Celery) -> None:
        class Double(AsyncTask[[int], int, Any]):
            name = "bare.double"

            async def run(self, x: int) -> int:  # type: ignore[override]  # Celery's `run` is synchronous
                return 2 * x

        assert app.register_task(Double()).apply((2,)).get() == 4


class TestArguments:
    def test_callers_do_not_pass_injected_parameters(self) -> None:
        assert list(inspect.signature(sample.announce.run).parameters) == ["key", "fails"]

    def test_invalid_arguments_fail_in_the_caller(self) -> None:
        with pytest.raises(TypeError):
            sample.announce.delay("key", fails=True, colour="red")  # type: ignore[call-arg]  # what is tested

    def test_a_bound_task_keeps_its_signature(self) -> None:
        assert list(inspect.signature(sample.again.run).parameters) == ["failures"]


class TestBinding:
    def test_another_thread_does_not_bind_a_task_that_is_half_made(self, app: Celery) -> None:
        others: list[Future[None]] = []

        class Slow(AsyncTask[..., Any, Any]):
            abstract = True

            @classmethod
            def annotate(cls) -> None:
                """Let another thread use the application, in the middle of `bind`."""
                others.append(executor.submit(app.finalize))
                wait(others, timeout=0.1)  # with a lock, it ends later

        @app.task(name="bare.slow", base=Slow, shared=False)
        def slow() -> None: ...

        with ThreadPoolExecutor(1) as executor:
            assert slow.name == "bare.slow"
        (finalized,) = others
        finalized.result()


class TestFailing:
    def test_a_lifespan_that_does_not_open_fails_the_task(
        self, add: AsyncTask[[int, int], int, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> Any:
            raise ConnectionError("no store")

        monkeypatch.setattr(process_loop, "lifespan", broken)
        with pytest.raises(ConnectionError, match="no store"):
            add.apply((1, 2)).get()
