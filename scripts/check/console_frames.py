"""Frames per second of the console's list of runs while 100 of them change: `python -m scripts.check.console_frames`.

20 times a second, one run, and then all of them. More than 50 frames have to be drawn in a second. On a busy machine,
look at the share of a core that the page's main thread takes, which is printed as well.
"""

import asyncio
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from playwright.sync_api import CDPSession, expect

from scripts.bench.servers import serve
from scripts.check.browser import browser
from scripts.check.console import ADMIN
from scripts.check.console_page import ConsolePage
from scripts.check.instance import prepared
from src.core.realtime.rooms import OPS_ROOM
from src.queues.emitter import RedisEmitter

ROWS, SECONDS, PER_SECOND, ENOUGH = 100, 10, 20, 50
FILL = """
INSERT INTO task_runs
    (id, create_time, update_time, name, state, args, kwargs, is_complete, attempts, queued_at, started_at)
SELECT lpad(to_hex(i), 32, '0')::uuid, now(), now(), 'reports.build', 'STARTED', '[]', '{}', true, 1,
    now() - i * interval '1 second', now()
FROM generate_series(1, $1::int) i
"""
COUNT = "() => { window.drawn = 0; const next = () => { drawn++; requestAnimationFrame(next); }; next(); }"


async def fill(url: str) -> list[dict[str, Any]]:
    """Insert the runs; returns them as events have them."""
    connection = await asyncpg.connect(url)
    await connection.execute(FILL, ROWS)
    rows = await connection.fetch("SELECT id, queued_at FROM task_runs")
    await connection.close()
    return [_run(row) for row in rows]


def _run(row: Mapping[str, Any]) -> dict[str, Any]:
    nothing = ("finishedAt", "queue", "result", "error", "traceback", "scheduleId", "requestedBy", "requestId")
    related = ("retryOf", "retriedBy", "attemptStarts")
    return {
        "taskId": str(UUID(str(row["id"]))),
        "name": "reports.build",
        "state": "STARTED",
        "args": [],
        "kwargs": {},
        "attempts": 1,
        "worker": "celery@host",
        "queuedAt": row["queued_at"].isoformat().replace("+00:00", "Z"),
        "startedAt": datetime.now(UTC).isoformat(),
        **dict.fromkeys(nothing + related),
    }


async def change(redis: str, runs: list[dict[str, Any]], each_time: int) -> float:
    """Send changes of so many runs, 20 times a second; returns the seconds that it took."""
    emitter = RedisEmitter(redis)
    loop = asyncio.get_running_loop()
    start = loop.time()
    for turn in range(SECONDS * PER_SECOND):
        changes = []
        for number in range(each_time):
            run = runs[(turn + number) % len(runs)]
            progress = {"done": turn % 100, "total": 100, "note": f"Part {turn}"}
            changes.append(emitter.emit("run.changed", {**run, "progress": progress}, room=OPS_ROOM))
        await asyncio.gather(*changes)
        await asyncio.sleep(max(0.0, start + (turn + 1) / PER_SECOND - loop.time()))
    await emitter.aclose()
    return loop.time() - start


def busy_seconds(browser_session: CDPSession) -> float:
    """What the page's main thread has worked since the page was opened."""
    metrics = {one["name"]: one["value"] for one in browser_session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"])


def main() -> str | None:
    """Returns that there were too few frames, for `sys.exit`."""
    few = []
    with (
        prepared(RATE_LIMIT_FACTOR="0") as environment,
        serve("src.main:app", "/livez", environment) as server,
        ThreadPoolExecutor() as thread,  # Playwright's loop is the main thread's
        browser() as chromium,
    ):
        database = environment["SQL_DATABASE_URL"].replace("+asyncpg", "")
        runs = thread.submit(asyncio.run, fill(database)).result()
        console = ConsolePage(chromium, f"http://127.0.0.1:{server.port}")
        page, metrics = console.page, console.page.context.new_cdp_session(console.page)
        metrics.send("Performance.enable")
        console.sign_in(*ADMIN)
        console.open("runs")
        expect(page.locator("tbody tr")).to_have_count(ROWS)
        expect(console.live).to_be_visible()
        page.evaluate(COUNT)
        for each_time in (0, 1, ROWS):
            drawn, busy = page.evaluate("drawn"), busy_seconds(metrics)
            seconds = thread.submit(asyncio.run, change(environment["REDIS_DATABASE_URL"], runs, each_time)).result()
            rate = (page.evaluate("drawn") - drawn) / seconds
            share = (busy_seconds(metrics) - busy) / seconds
            times = SECONDS * PER_SECOND / seconds
            print(
                f"{each_time:>3} runs, {times:.0f} times a second: {rate:.1f} frames/s, {share:.0%} of a core",
                flush=True,
            )
            few += [f"{each_time} runs: {rate:.1f} frames/s"] if rate <= ENOUGH else []
        shown = page.locator("progress").count()
        if shown != ROWS:
            return f"The progress of {shown} runs is shown."
    return "\n".join(few) or None


if __name__ == "__main__":
    sys.exit(main())
