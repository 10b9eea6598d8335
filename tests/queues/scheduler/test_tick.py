"""The statements of one tick."""

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from src.queues.app import app
from src.queues.scheduler import AsyncDatabaseScheduler

Statements = list[str]


@pytest.fixture
def beat() -> Iterator[AsyncDatabaseScheduler]:
    beat = AsyncDatabaseScheduler(app)
    beat.max_interval = 0
    yield beat
    beat.close()


@pytest.fixture
def statements(beat: AsyncDatabaseScheduler) -> Statements:
    statements: Statements = []
    event.listen(
        beat._engine.sync_engine, "before_cursor_execute", lambda *call: statements.append(str(call[2]).split()[0])
    )
    return statements


def test_an_idle_tick_is_one_statement(beat: AsyncDatabaseScheduler, statements: Statements) -> None:
    beat.schedule.clear()  # so that no configured schedule is due
    beat.tick()
    statements.clear()
    beat.tick()
    assert statements == ["SELECT"]


def test_after_its_end_there_is_none(beat: AsyncDatabaseScheduler) -> None:
    """Celery's signal handler closes the scheduler, then raises; where that is ignored, beat goes on."""
    beat.tick()
    beat.close()
    with pytest.raises(SystemExit):
        beat.tick()
