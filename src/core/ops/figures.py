"""Counts, errors and durations of requests and Socket.IO events, from the Prometheus counters of this process."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, zip_longest
from math import inf
from typing import Any

from prometheus_client import REGISTRY
from pydantic import BaseModel, TypeAdapter

# The elements of a series; the rest are the numbers of durations within each bound.
COUNT, ERRORS, CLIENT_ERRORS, DURATIONS = range(4)
_SERVER_CODES = {"1011", "4503"}


class Figures(BaseModel):
    """The figures of one kind, requests or events.

    Attributes:
        bounds: The upper bounds of durations in seconds, ascending; the last number of a series has none.
        series: By route or event: the count, server errors, client errors, then how many durations each bound has.
    """

    bounds: list[float] = []
    series: dict[str, list[int]] = {}


FIGURES = TypeAdapter(dict[str, Figures])


@dataclass(frozen=True, slots=True)
class _Metrics:
    """The names of a kind's metrics, and their labels."""

    counter: str
    buckets: str
    name: str
    outcome: str
    error_index: Callable[[str], int | None]


def _of_status(status: str) -> int | None:
    return ERRORS if status >= "500" else CLIENT_ERRORS if status >= "400" else None


def _of_code(code: str) -> int | None:
    return None if code == "0" else ERRORS if code in _SERVER_CODES else CLIENT_ERRORS


KINDS = {
    "requests": _Metrics("http_requests_total", "http_request_seconds_bucket", "route", "status", _of_status),
    "events": _Metrics("socketio_event_seconds_count", "socketio_event_seconds_bucket", "event", "code", _of_code),
}


def read_figures() -> dict[str, Figures]:
    """The figures since the process began, by kind."""
    return {kind: _read(metrics) for kind, metrics in KINDS.items()}


def _read(metrics: _Metrics) -> Figures:
    counts: dict[str, list[int]] = {}
    durations: dict[str, dict[float, int]] = {}
    registry: Any = REGISTRY.restricted_registry([metrics.counter, metrics.buckets])
    for sample in (sample for family in registry.collect() for sample in family.samples):
        name, value = sample.labels[metrics.name], int(sample.value)
        if sample.name == metrics.counter:
            count = counts.setdefault(name, [0] * DURATIONS)
            count[COUNT] += value
            if (index := metrics.error_index(sample.labels[metrics.outcome])) is not None:
                count[index] += value
        else:
            within = durations.setdefault(name, {})
            bound = float(sample.labels["le"])
            within[bound] = within.get(bound, 0) + value
    bounds = sorted({bound for within in durations.values() for bound in within} - {inf})
    return Figures(
        bounds=bounds,
        series={
            name: count + list(_differences(durations.get(name, {}).get(bound, 0) for bound in (*bounds, inf)))
            for name, count in counts.items()
        },
    )


def _differences(cumulative: Iterable[int]) -> Iterator[int]:
    before = 0
    for value in cumulative:
        yield value - before
        before = value


def subtract(now: Mapping[str, Figures], before: Mapping[str, Figures]) -> dict[str, Figures]:
    """What has been counted between two readings, without what has not changed."""
    changed = {}
    for kind, figures in now.items():
        old = before[kind].series if kind in before else {}
        series = {
            name: [new - past for new, past in zip_longest(values, old.get(name, ()), fillvalue=0)]
            for name, values in figures.series.items()
            if values != old.get(name)
        }
        if series:
            changed[kind] = Figures(bounds=figures.bounds, series=series)
    return changed


def add(all_figures: Iterable[Figures]) -> Figures:
    """The sum of figures; those of a process with other bounds, of another version, are left out."""
    total = Figures()
    for figures in all_figures:
        total.bounds = total.bounds or figures.bounds
        if figures.bounds == total.bounds:
            for name, values in figures.series.items():
                total.series[name] = _sum(total.series.get(name, ()), values)
    return total


def _sum(*values: Iterable[int]) -> list[int]:
    return [sum(column) for column in zip_longest(*values, fillvalue=0)]


def merged(figures: Figures) -> list[int]:
    """The sum of all series."""
    return _sum([0] * DURATIONS, *figures.series.values())


def percentile_ms(values: list[int], bounds: list[float], share: float) -> float | None:
    """The duration in milliseconds that this share of a series stays within, interpolated; None if there is none."""
    reached = list(accumulate(values[DURATIONS:]))
    if not reached or not reached[-1]:
        return None
    index = bisect_left(reached, share * reached[-1])
    if index >= len(bounds):  # longer than the last bound
        return bounds[-1] * 1000
    below = reached[index - 1] if index else 0
    lower = bounds[index - 1] if index else 0.0
    part = (share * reached[-1] - below) / (reached[index] - below)
    return round((lower + part * (bounds[index] - lower)) * 1000, 1)
