"""The console in Chromium, where one is installed: a journey on an instance of its own, with worker and beat."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import make_url

from scripts.check.browser import browser
from scripts.check.console import TASKS, journey
from scripts.check.console_page import ConsolePage
from scripts.local.applications import ALONE, ASYNCIO, POOL, SCHEDULER, WEB_LIMITS
from tests.support.databases import own_databases
from tests.support.process import Process
from tests.support.scratch import PATIENT, scratch_database

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.worker, pytest.mark.slow]

REDIS_DATABASE = 5  # no other test uses it


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where the instance is."""
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_database(migrated=True))
        redis = make_url(os.environ["REDIS_DATABASE_URL"]).set(database=str(REDIS_DATABASE))
        stores = stack.enter_context(own_databases()) | {
            "SQL_DATABASE_URL": scratch.url.render_as_string(hide_password=False),
            "REDIS_DATABASE_URL": redis.render_as_string(hide_password=False),
        }
        environment = os.environ | PATIENT | POOL | stores
        stack.enter_context(Redis.from_url(stores["REDIS_DATABASE_URL"])).flushdb()
        scratch.run("src.initdb", **stores)

        def start(name: str, *module: str) -> Process:
            return stack.enter_context(Process([sys.executable, "-m", *module], tmp_path / name, environment))

        api = start("api", "uvicorn", "scripts.check.console_api:app", "--port", "0", *WEB_LIMITS)
        start("worker", "celery", "-A", TASKS, "worker", *ASYNCIO, *ALONE, "-l", "warning")
        start("beat", "celery", "-A", TASKS, "beat", "-S", SCHEDULER, "-l", "warning")
        api.wait_for("running on")
        yield re.findall(r"running on (http://[\d.:]+)", api.output)[0]


def test_a_journey(url: str) -> None:
    with browser() as chromium:
        admin, user = ConsolePage(chromium, url), ConsolePage(chromium, url)
        journey(admin, user)
        assert admin.problems() + user.problems() == []
