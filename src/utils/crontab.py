"""Crontab expressions: `minute hour day-of-month month day-of-week`, in a time zone of their own."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Self
from zoneinfo import ZoneInfo

from cronsim import CronSim

MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
WEEKDAYS = dict(zip(("sun", "mon", "tue", "wed", "thu", "fri", "sat"), range(7), strict=True))
PART = re.compile(r"(?:(?P<every>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True, slots=True)
class Crontab:
    """Every minute at which all five fields match; as in Celery, day of month *and* day of week.

    When clocks change, an expression that restricts the hour follows the wall clock: each slot fires once per day, and
    one that the clock skips fires at the next minute that exists. An expression for every hour follows elapsed time.

    Attributes:
        expression: The fields as numbers. cronsim follows elapsed time if the hour is `*`.
    """

    expression: str
    zone: ZoneInfo

    @classmethod
    def parse(cls, expression: str, zone: ZoneInfo) -> Self:
        """Parse an expression. Months and weekdays may be names; Sunday is 0 or 7. Ranges may wrap (`22-4`).

        Raises:
            ValueError: The expression is invalid, or never matches.
        """
        return cls(_normalized(expression), zone)

    def next_run(self, after: datetime) -> datetime | None:
        """The first slot after an aware time, in UTC; None if there is none within 50 years."""
        after = after.astimezone(UTC)
        # In an hour that the clock repeats, the slots start over and lie before `after`.
        slots = (slot.astimezone(UTC) for slot in _slots(self.expression, after.astimezone(self.zone)))
        return next((slot for slot in slots if slot > after), None)


def _slots(expression: str, start: datetime) -> CronSim:
    slots = CronSim(expression, start)
    slots.day_and = True
    return slots


@lru_cache(maxsize=1024)  # beat parses a schedule's expression at each of its runs
def _normalized(expression: str) -> str:
    fields = expression.lower().split()
    if len(fields) != 5:
        raise ValueError(f"a crontab has 5 fields, {expression!r} has {len(fields)}")
    hours = _numbers(fields[1], 0, 23)
    numbers = [
        _listed(_numbers(fields[0], 0, 59)),
        "*" if len(hours) == 24 else _listed(hours),
        _listed(_numbers(fields[2], 1, 31)),
        _listed(_numbers(fields[3], 1, 12, MONTHS)),
        _listed({day % 7 for day in _numbers(fields[4], 0, 7, WEEKDAYS)}),
    ]
    normalized = " ".join(numbers)
    if next(_slots(normalized, datetime(2000, 1, 1, tzinfo=UTC)), None) is None:
        raise ValueError(f"no day ever matches {expression!r}")
    return normalized


def _numbers(field: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    numbers: set[int] = set()
    for part in field.split(","):
        match = PART.fullmatch(part)
        if match is None:
            raise ValueError(f"{part!r} is not a number, a range or *")
        first = low if match["every"] else _number(match["first"], names)
        last = (
            high if match["every"] or (match["step"] and not match["last"]) else _number(match["last"] or part, names)
        )
        step = int(match["step"] or 1)
        if not (low <= first <= high and low <= last <= high and step):
            raise ValueError(f"{part!r} is not within {low}-{high}")
        end = 6 if names is WEEKDAYS else high  # 7 is Sunday a second time
        wrapped = [*range(first, end + 1), *range(low, last + 1)]
        numbers.update((range(first, last + 1) if first <= last else wrapped)[::step])
    return frozenset(numbers)


def _listed(numbers: Collection[int]) -> str:
    """As a list, or as a range, which cronsim parses faster; it does so for each slot."""
    first, last = min(numbers), max(numbers)
    return f"{first}-{last}" if len(numbers) > last - first else ",".join(map(str, sorted(numbers)))


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a number")
    return int(text)
