"""The examples of the README, word for word."""

import asyncio
from collections.abc import Iterator

import pytest
from celery.app.base import Celery as StockCelery

from src.core.config import settings
from src.queues.app import app
from src.queues.celery import Celery
from src.queues.scheduler import AsyncDatabaseScheduler

DATABASE_URL = "postgresql+asyncpg://your_username:your_password@localhost:27017/your_database"


@pytest.fixture
def own() -> Iterator[Celery]:
    current = app.set_current
    redis_url = str(settings.CELERY_REDIS_URL)
    own = Celery("celery_app", broker=redis_url, backend=redis_url)
    own.conf.update({"timezone": settings.CELERY_TIMEZONE, "database_url": DATABASE_URL, "refresh_interval": 60})
    own.autodiscover_tasks(["src.queues.tasks"])
    yield own
    own.close()
    current()


class TestAnotherApplication:
    def test_it_is_a_celery_application(self, own: Celery) -> None:
        assert isinstance(own, StockCelery)

    def test_its_tasks_are_found(self, own: Celery) -> None:
        own.loader.import_default_modules()
        assert "system.ping" in own.tasks

    def test_its_scheduler_reads_its_settings(self, own: Celery) -> None:
        scheduler = AsyncDatabaseScheduler(own, lazy=True)
        assert "localhost:27017/your_database" in scheduler.info
        assert "your_password" not in scheduler.info
        assert scheduler.max_interval == 5


class TestAnAsyncTask:
    async def test_it_is_declared_like_any_other(self) -> None:
        @app.task
        async def run_async_task() -> None:
            await asyncio.sleep(0)

        assert await run_async_task() is None  # type: ignore[func-returns-value]  # it returns nothing
        assert run_async_task.name == f"{__name__}.run_async_task"
