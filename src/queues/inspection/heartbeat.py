"""Signs of life of workers and beat: a thread in the main process of each reports to Redis."""

import atexit
import secrets
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any

from celery import signals
from celery.worker import state

from src.core.ops.heartbeat import Heartbeat
from src.core.ops.report import ProcessReport
from src.utils.date import utc_now


def report_processes(app: Any, interval_seconds: float) -> None:
    """Have the workers and beats of this application report themselves; other processes are not affected."""

    def begin(describe: Callable[[], ProcessReport]) -> None:
        heartbeat = Heartbeat(app.conf.run_history_url, interval_seconds, describe)
        atexit.register(heartbeat.stop)
        heartbeat.start()

    def begin_worker(sender: Any, **_signal: object) -> None:
        if sender.app == app:
            started_at, name = utc_now(), str(sender.hostname)
            begin(lambda: _describe_worker(app, name, started_at))

    def begin_beat(sender: Any, **_signal: object) -> None:
        if sender.app == app:
            # Containers that share the host's network have one host name, and the same pids.
            started_at, name = utc_now(), f"beat@{socket.gethostname()}:{secrets.token_hex(4)}"
            begin(lambda: _describe_beat(sender, name, started_at))

    if interval_seconds:
        signals.worker_ready.connect(begin_worker, weak=False)
        signals.beat_init.connect(begin_beat, weak=False)


def reserved_by_queue() -> Counter[str]:
    """How many messages this worker has fetched and not acknowledged, by queue."""
    reserved: Counter[str] = Counter()
    for request in _copy(state.reserved_requests):
        reserved[(request.delivery_info or {}).get("routing_key") or ""] += 1
    return reserved


def _describe_worker(app: Any, name: str, started_at: Any) -> ProcessReport:
    return ProcessReport(
        kind="worker",
        name=name,
        started_at=started_at,
        queues=sorted(app.amqp.queues.consume_from),
        reserved=dict(reserved_by_queue()),
    )


def _describe_beat(service: Any, name: str, started_at: Any) -> ProcessReport:
    """The report of a beat, whose sign of life is the last time that it looked for due schedules."""
    return ProcessReport(
        kind="beat",
        name=name,
        started_at=started_at,
        seen_at=getattr(service.scheduler, "ticked_at", None) or started_at,
    )


def _copy(requests: Any) -> list[Any]:
    """The requests of a set that another thread changes."""
    while True:
        try:
            return list(requests)
        except RuntimeError:  # it changed meanwhile
            continue
