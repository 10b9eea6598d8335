"""Crontab expressions: `minute hour day-of-month month day-of-week`, in a time zone of their own."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
# February 29 on a given weekday: 28 years apart, and 40 around a century without a leap year.
SEARCHED_DAYS = 41 * 366
MONTHS = dict(
    zip(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), range(1, 13), strict=True)
)
WEEKDAYS = dict(zip(("sun", "mon", "tue", "wed", "thu", "fri", "sat"), range(7), strict=True))
PART = re.compile(r"(?:(?P<every>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")


@dataclass(frozen=True, slots=True)
class Crontab:
    """Every minute whose five fields all match (as in Celery, a restricted day of month *and* day of week).

    When clocks change, an expression that names hours keeps to the wall clock: each of its slots fires once a day, a
    missing one at the next minute there is. One that runs in every hour follows elapsed time and never pauses.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    zone: ZoneInfo

    @classmethod
    def parse(cls, expression: str, zone: ZoneInfo) -> Self:
        """Read an expression; names of months and weekdays are welcome, Sunday is 0 or 7.

        Raises:
            ValueError: It is not a crontab, or no minute ever matches.
        """
        fields = expression.lower().split()
        if len(fields) != 5:
            raise ValueError(f"a crontab has 5 fields, {expression!r} has {len(fields)}")
        crontab = cls(
            minutes=_numbers(fields[0], 0, 59),
            hours=_numbers(fields[1], 0, 23),
            days=_numbers(fields[2], 1, 31),
            months=_numbers(fields[3], 1, 12, MONTHS),
            weekdays=frozenset(day % 7 for day in _numbers(fields[4], 0, 7, WEEKDAYS)),
            zone=zone,
        )
        if crontab.next_run(datetime(2000, 1, 1, tzinfo=UTC)) is None:
            raise ValueError(f"no day ever matches {expression!r}")
        return crontab

    def next_run(self, after: datetime) -> datetime | None:
        """The first slot later than an aware time, in UTC; None when there is none."""
        run = self._elapsed if len(self.hours) == 24 else self._on_the_wall_clock
        return run(after.astimezone(UTC))

    def _on_the_wall_clock(self, after: datetime) -> datetime | None:
        slots = [time(hour, minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)]
        # A day that a zone skipped lends its slots to the next day's first minute: begin one day early.
        for day in self._days(after.astimezone(self.zone).date() - DAY):
            following = bisect_right(slots, after, key=lambda slot: self._instant(datetime.combine(day, slot)))
            if following < len(slots):
                return self._instant(datetime.combine(day, slots[following]))
        return None

    def _elapsed(self, after: datetime) -> datetime | None:
        moment = after.replace(second=0, microsecond=0) + MINUTE
        while True:
            local = moment.astimezone(self.zone)
            if not self._matches(local.date()):
                day = next(self._days(local.date() + DAY), None)
                if day is None:
                    return None
                moment = max(moment + MINUTE, self._instant(datetime.combine(day, time())))
            elif local.minute in self.minutes:
                return moment
            else:
                moment += MINUTE

    def _days(self, first: date) -> Iterator[date]:
        for offset in range(SEARCHED_DAYS):
            day = first + offset * DAY
            if self._matches(day):
                yield day

    def _matches(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    def _instant(self, wall: datetime) -> datetime:
        """The first moment that the zone's clock shows a time, or has passed over it."""
        early = wall.replace(tzinfo=self.zone).astimezone(UTC)
        if early.astimezone(self.zone).replace(tzinfo=None) == wall:
            return early
        # In a gap: `fold` tells what the clock would say by the offset after it.
        first = wall.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        offset = early.astimezone(self.zone).utcoffset()
        minutes = range((early - first) // MINUTE + 1)
        return first + MINUTE * bisect_left(
            minutes, True, key=lambda n: (first + n * MINUTE).astimezone(self.zone).utcoffset() == offset
        )


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
        if not (low <= first <= last <= high and step):
            raise ValueError(f"{part!r} is not within {low}-{high}")
        numbers.update(range(first, last + 1, step))
    return frozenset(numbers)


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a number")
    return int(text)
