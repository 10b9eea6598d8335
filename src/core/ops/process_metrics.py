"""Metrics that any process has: its pools of SQL connections, and log lines that it could not write."""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Gauge, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from src.core.logging import log_stream
from src.core.ops.report import PoolUse
from src.core.resources import Resources, opened_resources

# They would be a fourth of all series.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types

DROPPED = Gauge("log_lines_dropped", "Log lines of this process that could not be written, as on a full disk.")
DROPPED.set_function(lambda: log_stream.dropped)

child_pools: list[PoolUse] = []
"""The pools of this process's children: the main process of a worker with the prefork pool replaces it."""


def pools_of(resources: Resources) -> list[PoolUse]:
    """The pools of SQL connections of this process: for transactions, for reads, and of `SQL_DATABASES`."""
    settings = resources.settings.sql
    engines: dict[str, AsyncEngine] = {"postgres": resources.engine, "postgres:read": resources.read_engine}
    engines |= {name: database.engine for name, database in resources.databases.items()}
    return [
        PoolUse(name=name, size=settings.pool_size + settings.max_overflow, in_use=engine.pool.checkedout())
        for name, engine in engines.items()
        if isinstance(engine.pool, QueuePool)
    ]


class _Pools(Collector):
    """Reads the pools when they are scraped."""

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """The metrics without their values."""
        yield GaugeMetricFamily("sql_pool_size", "Connections that this process may open.", labels=["pool"])
        yield GaugeMetricFamily("sql_pool_in_use", "Connections of this process that are in use.", labels=["pool"])

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metrics; without values while no stores are open, as in beat."""
        size, in_use = self.describe()
        resources = opened_resources()
        pools = [*(pools_of(resources) if resources else ()), *child_pools]
        for name in dict.fromkeys(pool.name for pool in pools):
            size.add_metric([name], sum(pool.size for pool in pools if pool.name == name))
            in_use.add_metric([name], sum(pool.in_use for pool in pools if pool.name == name))
        yield from (size, in_use)


REGISTRY.register(_Pools())
