"""The patterns of docs/workflows.md, as they stand there, in a worker."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE
from uuid import uuid4

import pytest
from redis import Redis

from tests.docs.conftest import Start
from tests.docs.readme import ROOT, blocks
from tests.support.waiting import wait_until

pytestmark = pytest.mark.worker

PAGE = "\n\n".join(blocks("python", (ROOT / "docs/workflows.md").read_text()))
WORKER = "celery -A workflows_page worker -P custom -c 20 -l info --without-mingle --without-gossip"
EVALUATE = """
import sys, time
from workflows_page import *
for line in sys.stdin:
    print(eval(line), flush=True)
"""
Call = Callable[[str], str]


@pytest.fixture
def call(environment: dict[str, str], start: Start) -> Iterator[Call]:
    """Evaluate an expression in a process that has the page's module, while a worker runs; returns what it prints."""
    Path(environment["PYTHONPATH"].split(os.pathsep)[0], "workflows_page.py").write_text(PAGE)
    environment["CELERY_CUSTOM_WORKER_POOL"] = "src.queues.pool:AsyncIOPool"
    worker = start(WORKER)
    command = [sys.executable, "-c", EVALUATE]
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True, bufsize=1) as process:  # noqa: S603 - ours
        assert process.stdin
        assert process.stdout
        questions, answers = process.stdin, process.stdout

        def call(expression: str) -> str:
            print(expression, file=questions)
            answer = answers.readline()
            assert answer, f"{expression} failed."
            return answer.strip()

        worker.wait_for("ready.")
        yield call
        questions.close()
    assert (process.returncode, worker.stop()) == (0, 0)


@pytest.fixture
def redis(environment: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(environment["REDIS_DATABASE_URL"], decode_responses=True) as redis:
        yield redis


def test_every_pattern_does_what_the_page_says(call: Call, redis: Redis) -> None:
    name = uuid4().hex
    assert call(f"[charge.delay('{name}').get(timeout=30) for _ in range(2)]") == "['charged', 'charged before']"
    results = f"[build_report.delay('{name}', 3), time.sleep(1), build_report.delay('{name}')]"
    assert call(f"[one.get(timeout=30, propagate=False) for one in {results} if one]").startswith(
        f"['report of {name}', TaskRevokedError('duplicate of "
    )
    sent = f"[send_mail.delay(tenant, '') for tenant in ('{name}', '{name}', '{name}', '{name}x')]"
    took = f"(time.time(), [one.get(timeout=30) for one in {sent}], time.time())"
    assert float(call(f"(lambda begun, _, ended: ended - begun)(*{took})")) > 0.9
    assert call("run_import(10).get(timeout=30)") == "10"
    assert call(f"asyncio.run(charge_now('{name}')).get(timeout=30)") == "charged before"
    redis.set(f"books.scan:{name}", 3)
    assert call(f"scan.delay('{name}', 5).get(timeout=30)") == "2"
    export = call(f"write_export.delay('{name}').id")
    wait_until(lambda: redis.get(f"exports:{name}") == "incomplete")
    call(f"app.control.revoke('{export}', terminate=True)")
    wait_until(lambda: not redis.exists(f"exports:{name}"))
    for number in range(3):
        redis.xadd("readings", {"value": number})
    assert call("[collect_readings.delay().get(timeout=30) for _ in range(2)]") == "[3, 0]"
