"""Compares what was confirmed with what the stores hold."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

import asyncpg
from pymongo import AsyncMongoClient
from sqlalchemy import make_url

from scripts.check.faults_system import System
from scripts.check.faults_traffic import Traffic

# Those of schedules that expire are never finished if no worker could start them in time.
WAITING = """
    SELECT name, state, count(*) FROM task_runs
    WHERE state IN ('PENDING', 'STARTED', 'RETRY') AND name IN ('notices.announce', 'system.ping') GROUP BY name, state
    UNION ALL SELECT 'outbox', topic, count(*) FROM outbox GROUP BY topic
"""
LISTED = 3
MAXIMUM_PAUSE_SECONDS = 20
"""How long beat and worker together may do nothing beside faults, of which one may follow the other: reconnecting."""


async def verify(system: System, traffic: Traffic, seconds: float) -> list[str]:
    """Wait until all work has ended; returns what is missing, repeated or failed."""
    print(
        f"{len(traffic.notices)} writes, {len(traffic.lines)} chat lines, {len(traffic.files)} files,"
        f" {traffic.lost_sessions} sessions lost; slowest response {traffic.slowest:.1f} s; {dict(traffic.answers)}",
        flush=True,
    )
    url = make_url(system.direct["SQL_DATABASE_URL"]).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await connection.execute("UPDATE schedules SET enabled = false WHERE id = $1", UUID(traffic.schedule_id))
        problems = await _wait_for_the_end(connection, seconds)
        problems += await _notices(connection, traffic)
        problems += await _slots(connection, traffic, system.disturbances)
    finally:
        await connection.close()
    problems += await _lines(system, traffic)
    problems += await _files(traffic)
    return problems


async def _wait_for_the_end(connection: "asyncpg.Connection[Any]", seconds: float) -> list[str]:
    started = time.monotonic()
    while waiting := await connection.fetch(WAITING):
        if time.monotonic() - started > seconds:
            left = ", ".join(f"{count} {name} {state}" for name, state, count in waiting)
            return [f"{left}: not ended {seconds:.0f} s after the last fault"]
        await asyncio.sleep(1)
    print(f"All work had ended {time.monotonic() - started:.0f} s after the last fault", flush=True)
    return []


async def _notices(connection: "asyncpg.Connection[Any]", traffic: Traffic) -> list[str]:
    """Confirmed notices exist, none twice, and each was announced by one run that succeeded."""
    rows = await connection.fetch("SELECT id::text, title FROM notices")
    problems = _compare("notices", traffic.notices, (row["title"] for row in rows))
    runs = await connection.fetch(
        "SELECT kwargs ->> 'notice_id' AS notice, state FROM task_runs WHERE name = 'notices.announce'"
    )
    failed = [run["notice"] for run in runs if run["state"] != "SUCCESS"]
    problems += _compare("announcements", {row["id"] for row in rows}, (run["notice"] for run in runs))
    return problems + ([f"{len(failed)} announcements did not succeed"] if failed else [])


async def _slots(
    connection: "asyncpg.Connection[Any]", traffic: Traffic, disturbances: Sequence[tuple[float, float]]
) -> list[str]:
    """Each second from the first to the last run has a run, whose id is that of its slot."""
    schedule = UUID(traffic.schedule_id)
    query = "SELECT id, state, finished_at FROM task_runs WHERE schedule_id = $1 ORDER BY finished_at"
    rows = await connection.fetch(query, schedule)
    found = {row["id"]: row["state"] for row in rows}
    sent = await connection.fetchval("SELECT total_run_count FROM schedules WHERE id = $1", schedule)
    slots = {}
    for number in range(sent):
        slot = traffic.first_slot + timedelta(seconds=number)
        slots[uuid5(schedule, slot.isoformat())] = slot
    missing = [slot for run, slot in slots.items() if run not in found]
    failed = [run for run, state in found.items() if state != "SUCCESS"]
    ends = [row["finished_at"].timestamp() for row in rows if row["finished_at"]]
    pauses = list(pairwise(ends))
    longest = max((later - earlier for earlier, later in pauses), default=0)
    pause = max((undisturbed(*each, disturbances) for each in pauses), default=0)
    print(f"{len(found)} of {sent} slots have runs; longest pause {longest:.1f} s, without faults {pause:.1f} s")
    problems = [f"{len(missing)} slots have no run, such as {missing[:LISTED]}"] if missing else []
    if pause > MAXIMUM_PAUSE_SECONDS:
        problems.append(f"No run ended for {pause:.0f} s in which there was no fault")
    return problems + ([f"{len(failed)} runs of slots did not succeed"] if failed else [])


def undisturbed(begin: float, end: float, disturbances: Sequence[tuple[float, float]]) -> float:
    """The seconds of a time in which there was no disturbance; they may overlap."""
    seconds, covered = end - begin, begin
    for since, until in sorted(disturbances):
        first, last = max(since, covered), min(until, end)
        if last > first:
            seconds, covered = seconds - (last - first), last
    return seconds


async def _lines(system: System, traffic: Traffic) -> list[str]:
    async with AsyncMongoClient[dict[str, Any]](system.direct["MONGO_DATABASE_URL"]) as client:
        lines = client.get_default_database()["chat_lines"].find()
        return _compare("chat lines", traffic.lines, [line["text"] async for line in lines])


async def _files(traffic: Traffic) -> list[str]:
    """Each confirmed file has its content."""
    reading = asyncio.Semaphore(8)

    async def differs(file_id: str, content: bytes) -> bool:
        async with reading:
            response = await traffic.send("GET", f"/files/{file_id}/content")
        return response is None or response.content != content

    wrong = sum(await asyncio.gather(*(differs(*file) for file in traffic.files.items())))
    return [f"{wrong} files are missing or differ"] if wrong else []


def _compare(what: str, confirmed: set[str], stored: Iterable[str]) -> list[str]:
    counts = Counter(stored)
    lost = sorted(confirmed - counts.keys())
    repeated = sorted(key for key, count in counts.items() if count > 1)
    problems = [f"{len(lost)} {what} are lost, such as {', '.join(lost[:LISTED])}"] if lost else []
    return problems + ([f"{len(repeated)} {what} exist twice"] if repeated else [])
