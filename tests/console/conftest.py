"""The application with a console, a worker and a beat, in processes of their own."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType

from playwright.sync_api import Browser, expect
from redis import Redis
from sqlalchemy import make_url

from scripts.check.console import ADMIN, TASKS
from scripts.check.console_page import ConsolePage
from scripts.local.applications import ALONE, ASYNCIO, POOL, SCHEDULER, WEB_LIMITS
from tests.support.databases import own_databases
from tests.support.process import Process
from tests.support.scratch import PATIENT, scratch_database

REDIS_DATABASE = 5  # no other test uses it


@contextmanager
def started(
    directory: Path, settings: Mapping[str, str] = MappingProxyType({}), *, port: int = 0, with_worker: bool = True
) -> Iterator[str]:
    """Run them with these settings, on a port; yields where the API is. Their output goes to the directory."""
    with ExitStack() as stack:
        scratch = stack.enter_context(scratch_database(migrated=True))
        redis = make_url(os.environ["REDIS_DATABASE_URL"]).set(database=str(REDIS_DATABASE))
        stores = stack.enter_context(own_databases()) | {
            "SQL_DATABASE_URL": scratch.url.render_as_string(hide_password=False),
            "REDIS_DATABASE_URL": redis.render_as_string(hide_password=False),
        }
        environment = {**os.environ, **PATIENT, **POOL, **stores, **settings}
        stack.enter_context(Redis.from_url(stores["REDIS_DATABASE_URL"])).flushdb()
        scratch.run("src.initdb", **stores)

        def process(name: str, *module: str) -> Process:
            return stack.enter_context(Process([sys.executable, "-m", *module], directory / name, environment))

        api = process("api", "uvicorn", "scripts.check.console_api:app", "--port", str(port), *WEB_LIMITS)
        if with_worker:
            process("worker", "celery", "-A", TASKS, "worker", *ASYNCIO, *ALONE, "-l", "warning")
            process("beat", "celery", "-A", TASKS, "beat", "-S", SCHEDULER, "-l", "warning")
        api.wait_for("running on")
        yield str(re.findall(r"running on (http://[\d.:]+)", api.output)[0])


def add_user(chromium: Browser, url: str, username: str) -> tuple[str, str]:
    """A user whom the administrator makes; returns their name and password."""
    admin, password = ConsolePage(chromium, url), "correct horse battery staple"
    admin.sign_in(*ADMIN)
    admin.open("users")
    admin.button("New user").click()
    form = admin.dialog("New user")
    admin.fill(form, {"username": username, "name": username, "email": f"{username}@example.com", "password": password})
    form.get_by_role("button", name="Create").click()
    expect(admin.row(username)).to_be_visible()
    admin.page.context.close()
    return username, password


def close_pages(chromium: Browser) -> None:
    """Close all pages, whose live views would go on beside the next test."""
    for context in chromium.contexts:
        context.close()
