"""The application with a console, a worker and a beat, in processes of their own."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import make_url

from scripts.check.console import TASKS
from scripts.local.applications import ALONE, ASYNCIO, POOL, SCHEDULER, WEB_LIMITS
from tests.support.databases import own_databases
from tests.support.process import Process
from tests.support.scratch import PATIENT, scratch_database

REDIS_DATABASE = 5  # no other test uses it

Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts them with these settings, on a port; returns where the API is."""
    with ExitStack() as stack:

        def run(port: int = 0, **settings: str) -> str:
            scratch = stack.enter_context(scratch_database(migrated=True))
            redis = make_url(os.environ["REDIS_DATABASE_URL"]).set(database=str(REDIS_DATABASE))
            stores = stack.enter_context(own_databases()) | {
                "SQL_DATABASE_URL": scratch.url.render_as_string(hide_password=False),
                "REDIS_DATABASE_URL": redis.render_as_string(hide_password=False),
            }
            environment = os.environ | PATIENT | POOL | stores | settings
            stack.enter_context(Redis.from_url(stores["REDIS_DATABASE_URL"])).flushdb()
            scratch.run("src.initdb", **stores)

            def process(name: str, *module: str) -> Process:
                return stack.enter_context(Process([sys.executable, "-m", *module], tmp_path / name, environment))

            api = process("api", "uvicorn", "scripts.check.console_api:app", "--port", str(port), *WEB_LIMITS)
            process("worker", "celery", "-A", TASKS, "worker", *ASYNCIO, *ALONE, "-l", "warning")
            process("beat", "celery", "-A", TASKS, "beat", "-S", SCHEDULER, "-l", "warning")
            api.wait_for("running on")
            return str(re.findall(r"running on (http://[\d.:]+)", api.output)[0])

        yield run
