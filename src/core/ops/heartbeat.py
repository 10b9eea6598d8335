import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from redis.exceptions import RedisError

from src.core.ops.report import PROCESSES, ProcessReport, report_commands
from src.utils.redis_pool import blocking_client

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 5


class Heartbeat:
    """A thread that reports this process every few seconds, until `stop`.

    Args:
        url: The Redis that keeps the reports.
        interval_seconds: How often.
        describe: Makes the report; called on the thread.
    """

    def __init__(self, url: str, interval_seconds: float, describe: Callable[[], ProcessReport]) -> None:
        self._redis: Any = blocking_client(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
        self._interval_seconds = interval_seconds
        self._describe = describe
        self._pid = os.getpid()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Report at once, and then regularly."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and remove this process from the list if Redis is available."""
        if self._pid == os.getpid():  # not in a forked process, which has no such thread
            self._stopping.set()
            self._thread.join(TIMEOUT_SECONDS)

    def _run(self) -> None:
        name = ""
        while not self._stopping.is_set():
            try:
                report = self._describe()
            except Exception:
                log.exception("report_failed")
            else:
                name = report.name
                self._send(report_commands(report, 0))
            self._stopping.wait(self._interval_seconds)
        if name:
            self._send([("HDEL", PROCESSES, name)])
        self._redis.close()

    def _send(self, commands: list[tuple[str, ...]]) -> None:
        with suppress(RedisError):  # the process itself logs outages
            for command in commands:
                self._redis.execute_command(*command)
