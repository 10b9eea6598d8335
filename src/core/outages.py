"""The log of store outages: one line when an outage begins and one when it ends, per process."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from src.core.health import Check, check_store, store_checks
from src.core.resources import Resources

log = structlog.get_logger(__name__)

RECHECK_SECONDS = 1.0
# Names of stores in errors that differ from those of the checks.
_CHECKS = {"postgresql": "postgres", "sql": "postgres", "mongodb": "mongo"}

_watches: dict[str, "_Watch"] = {}
_resources: Resources | None = None


def report_outage(store: str, reason: str) -> None:
    """Log that a store is unavailable, unless this is known already."""
    name = _CHECKS.get(store, store)
    if name in _watches:
        _watches[name].failures += 1
        return
    log.warning("store_unavailable", store=store, reason=reason)
    check = store_checks(_resources).get(name) if _resources else None
    if check:
        _watches[name] = _Watch(store, check)


@contextmanager
def watching_stores(resources: Resources) -> Iterator[None]:
    """During the block, an unavailable store is checked until it can serve again, which is logged."""
    global _resources
    _resources = resources
    try:
        yield
    finally:
        _resources = None
        for watch in _watches.values():
            watch.task.cancel()
        _watches.clear()


class _Watch:
    """Checks a store until it can serve again."""

    def __init__(self, store: str, check: Check) -> None:
        self.failures = 1
        self.task = asyncio.create_task(self._wait(store, check))

    async def _wait(self, store: str, check: Check) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            if not (await check_store(check)).reason:
                break
        del _watches[_CHECKS.get(store, store)]
        seconds = round(time.monotonic() - started, 1)
        log.warning("store_available", store=store, seconds=seconds, failures=self.failures)
