"""The log and the metrics of store outages: one line when an outage begins and one when it ends, per process."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import structlog
from prometheus_client import Counter, Gauge

from src.core.health import Check, check_store, store_checks
from src.core.resources import Resources
from src.core.stores.errors import in_words

log = structlog.get_logger(__name__)

AVAILABLE = Gauge("store_available", "1 while the store serves this process, 0 during an outage.", ["store"])
FAILURES = Counter("store_failures", "Calls that failed because the store is unavailable.", ["store"])

RECHECK_SECONDS = 1.0
QUIET_SECONDS = 60.0
"""An outage of a store without a check, a broker of its own, is over when no call has failed for this long."""
# Names of stores in errors that differ from those of the checks.
_CHECKS = {"postgresql": "postgres", "sql": "postgres", "mongodb": "mongo"}

_watches: dict[str, "_Watch"] = {}
_watching: tuple[Resources, asyncio.AbstractEventLoop] | None = None
_search: asyncio.Task[None] | None = None


def is_watching() -> bool:
    """Whether this process watches its stores, so that the end of an outage is logged."""
    return _watching is not None


def report_outage(store: str, reason: str) -> None:
    """Log that a store is unavailable, unless this is known already; any thread may call it.

    Args:
        store: Its name in an error; empty for what ended at a time limit and does not know what it waited for.
        reason: The summary of the error.
    """
    if _watching is None:
        log.warning("store_unavailable", store=_CHECKS.get(store, store), reason=in_words(reason))
        return
    resources, loop = _watching
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:  # a thread without a loop
        is_here = False
    if is_here:
        _report(resources, store, reason)
    else:
        loop.call_soon_threadsafe(_report, resources, store, reason)


@contextmanager
def watching_stores(resources: Resources) -> Iterator[None]:
    """During the block, an unavailable store is checked until it can serve again, which is logged."""
    global _watching
    _watching = resources, asyncio.get_running_loop()
    for name in store_checks(resources):
        AVAILABLE.labels(name).set(1)
    try:
        yield
    finally:
        _watching = None
        for task in filter(None, [_search, *(watch.task for watch in _watches.values())]):
            task.cancel()
        _watches.clear()


def _report(resources: Resources, store: str, reason: str) -> None:
    global _search
    if not store:
        if not _watches and (_search is None or _search.done()):  # otherwise it has waited for what is known
            _search = asyncio.create_task(_report_failing(resources, reason))
        return
    name = _name(resources, store)
    FAILURES.labels(name).inc()
    if name in _watches:
        _watches[name].note_failure()
        return
    log.warning("store_unavailable", store=name, reason=in_words(reason))
    AVAILABLE.labels(name).set(0)
    _watches[name] = _Watch(name, store_checks(resources).get(name))


async def _report_failing(resources: Resources, reason: str) -> None:
    """Report the stores whose checks fail."""
    checks = store_checks(resources)
    health = await asyncio.gather(*map(check_store, checks.values()))
    failing = [name for name, result in zip(checks, health, strict=True) if result.reason]
    for name in failing or ["unknown"]:
        _report(resources, name, reason)


def _name(resources: Resources, store: str) -> str:
    """The store's name in `/readyz`; broker and results are usually on the server that is checked as `redis`."""
    name, settings = _CHECKS.get(store, store), resources.settings
    urls = {"redis": settings.REDIS_DATABASE_URL, "broker": settings.CELERY_BROKER_URL}
    urls["results"] = str(settings.CELERY_REDIS_URL)
    servers = {each: urlsplit(url).netloc.rpartition("@")[2] for each, url in urls.items()}
    return next(each for each, server in servers.items() if server == servers[name]) if name in servers else name


class _Watch:
    """Checks a store until it can serve again."""

    def __init__(self, name: str, check: Check | None) -> None:
        self._failures = 0
        self.note_failure()
        self.task = asyncio.create_task(self._wait(name, check))

    def note_failure(self) -> None:
        self._failures += 1
        self._last_failure = time.monotonic()

    async def _wait(self, name: str, check: Check | None) -> None:
        started = time.monotonic()
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            ended = time.monotonic() if check else self._last_failure
            if check is None:
                if time.monotonic() - ended > QUIET_SECONDS:
                    break
            elif not (await check_store(check)).reason:
                break
        del _watches[name]
        AVAILABLE.labels(name).set(1)
        seconds = round(ended - started, 1)
        log.warning("store_available", store=name, seconds=seconds, failures=self._failures)
