"""Crontabs, against a walk over every minute and around the changes of clocks."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from src.utils.crontab import Crontab

pytestmark = pytest.mark.unit

MINUTE = timedelta(minutes=1)
NEW_YORK = ZoneInfo("America/New_York")
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"]


def slots(expression: str, zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    crontab = Crontab.parse(expression, zone)
    found, after = list[datetime](), first
    while (slot := crontab.next_run(after)) and slot < last:
        found.append(slot)
        after = slot
    return found


def walls_of_day(expression: str, day: date, zone: ZoneInfo = NEW_YORK) -> list[str]:
    """What the wall clock shows when the slots of a local day come."""
    start = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) - MINUTE
    found = slots(expression, zone, start, start + timedelta(hours=26))
    return [f"{slot.astimezone(zone):%H:%M%z}" for slot in found if slot.astimezone(zone).date() == day]


def minutes(first: datetime, last: datetime) -> Iterator[datetime]:
    while (first := first + MINUTE) < last:
        yield first


@lru_cache(maxsize=32)
def walls(zone: ZoneInfo, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
    """Each minute, and what the wall clock shows then."""
    return [(minute, minute.astimezone(zone)) for minute in minutes(first, last)]


def walk(matches: Callable[[datetime], bool], zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    return [minute for minute, wall in walls(zone, first, last) if matches(wall)]


class TestMatching:
    @pytest.mark.parametrize(
        ("expression", "matches"),
        [
            ("*/7 * * * *", lambda t: t.minute % 7 == 0),
            ("5-50/15 9-17 * * *", lambda t: t.minute in (5, 20, 35, 50) and 9 <= t.hour <= 17),
            ("0 0,12 1,15 * *", lambda t: t.minute == 0 and t.hour in (0, 12) and t.day in (1, 15)),
            ("30 6 * * mon-fri", lambda t: (t.minute, t.hour) == (30, 6) and t.isoweekday() <= 5),
            ("30 6 * * 7", lambda t: (t.minute, t.hour) == (30, 6) and t.isoweekday() == 7),
            ("15 3 13 * FRI", lambda t: (t.minute, t.hour, t.day, t.isoweekday()) == (15, 3, 13, 5)),
            ("0 1 * feb,MAR *", lambda t: (t.minute, t.hour) == (0, 1) and t.month in (2, 3)),
            ("0 22-4 * * *", lambda t: t.minute == 0 and (t.hour >= 22 or t.hour <= 4)),
            ("0 20-6/3 * * *", lambda t: t.minute == 0 and t.hour in (20, 23, 2, 5)),
            (
                "0 3 * nov-feb fri-mon/2",
                lambda t: t.hour == 3 and not t.minute and t.month in (11, 12, 1, 2) and t.isoweekday() in (5, 7),
            ),
            ("10/20 23 * * *", lambda t: t.hour == 23 and t.minute in (10, 30, 50)),
        ],
    )
    @pytest.mark.slow
    def test_a_walk_over_the_minutes_finds_the_same(self, expression: str, matches: Callable[[datetime], bool]) -> None:
        first, zone = datetime(2026, 1, 20, 3, 7, tzinfo=UTC), ZoneInfo("UTC")
        last = first + timedelta(days=60)
        assert slots(expression, zone, first, last) == walk(matches, zone, first, last)

    def test_leap_days_are_found(self) -> None:
        first = datetime(2026, 1, 1, tzinfo=UTC)
        assert slots("0 0 29 2 *", ZoneInfo("UTC"), first, datetime(2034, 1, 1, tzinfo=UTC)) == [
            datetime(2028, 2, 29, tzinfo=UTC),
            datetime(2032, 2, 29, tzinfo=UTC),
        ]

    def test_the_next_slot_is_later_than_a_slot(self) -> None:
        noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
        assert Crontab.parse("0 12 * * *", ZoneInfo("UTC")).next_run(noon) == noon + timedelta(days=1)

    @pytest.mark.parametrize(
        "expression",
        [
            *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8"),
            *("a * * * *", "*/0 * * * *", "1- * * * *", "-1 * * * *", "1.5 * * * *", "0 0 30 2 *"),
        ],
    )
    def test_what_never_matches_is_refused(self, expression: str) -> None:
        with pytest.raises(ValueError, match=r"field|number|within|ever"):
            Crontab.parse(expression, ZoneInfo("UTC"))


@pytest.mark.slow
class TestChangesOfClocks:
    def test_a_missing_slot_fires_at_the_next_minute_there_is(self) -> None:
        assert walls_of_day("30 2 * * *", date(2026, 3, 8)) == ["03:00-0400"]

    def test_a_doubled_slot_fires_once(self) -> None:
        assert walls_of_day("30 1 * * *", date(2026, 11, 1)) == ["01:30-0400"]

    def test_a_crontab_of_every_hour_loses_no_slot_of_the_repeated_hour(self) -> None:
        assert len(walls_of_day("*/20 * * * *", date(2026, 11, 1))) == 75

    def test_nor_does_it_crowd_the_missing_hour(self) -> None:
        assert len(walls_of_day("*/20 * * * *", date(2026, 3, 8))) == 69

    def test_a_day_that_a_zone_skipped_is_made_up_for(self) -> None:
        apia = ZoneInfo("Pacific/Apia")
        found = slots("0 8 * * *", apia, datetime(2011, 12, 29, 12, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
        assert [f"{slot.astimezone(apia):%d %H}" for slot in found] == ["29 08", "31 00", "31 08", "01 08"]

    @pytest.mark.parametrize("name", ZONES)
    def test_a_daily_slot_fires_once_on_each_day_of_ten_years(self, name: str) -> None:
        zone, wall = ZoneInfo(name), random.Random(name)  # noqa: S311 - any time of day will do
        for hour in (0, 1, 2, wall.randrange(24)):
            first, last = datetime(2020, 1, 1, 23, 59, tzinfo=zone), datetime(2030, 1, 1, tzinfo=zone)
            days = [s.astimezone(zone).date() for s in slots(f"{wall.randrange(60)} {hour} * * *", zone, first, last)]
            assert {later - earlier for earlier, later in pairwise(days)} == {timedelta(days=1)}
            assert len(days) == (last.date() - first.date()).days - 1

    @pytest.mark.parametrize("name", ZONES)
    def test_around_each_change_of_ten_years_a_walk_over_the_minutes_finds_the_same(self, name: str) -> None:
        zone = ZoneInfo(name)
        for change in changes_of(zone, 2020, 2030):
            first, last = change - timedelta(days=1, minutes=7), change + timedelta(days=1)
            for expression, minutes_past in (("*/20 * * * *", {0, 20, 40}), ("7,37 * * * *", {7, 37})):
                expected = walk(lambda wall, past=minutes_past: wall.minute in past, zone, first, last)  # type: ignore[misc]  # bound now
                assert slots(expression, zone, first, last) == expected

    @pytest.mark.parametrize("expression", ["30 2 * * *", "0,30 1-3 * * *", "15 */6 * * mon-fri"])
    @pytest.mark.parametrize("name", ZONES)
    def test_around_each_of_them_the_slots_of_the_wall_clock_fire_once(self, name: str, expression: str) -> None:
        """Against all the minutes that a zone's clock shows: the first of each, or of what follows a gap."""
        zone = ZoneInfo(name)
        for change in changes_of(zone, 2020, 2030):
            first, last = change - timedelta(days=1), change + timedelta(days=1)
            assert slots(expression, zone, first, last) == shown_once(expression, zone, first, last)


@cache
def changes_of(zone: ZoneInfo, first: int, last: int) -> list[datetime]:
    """The hours in which the zone's offset changes."""
    hours = [datetime(first, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range((last - first) * 8766)]
    offsets = [hour.astimezone(zone).utcoffset() for hour in hours]
    return [hour for hour, (before, after) in zip(hours, pairwise(offsets), strict=False) if before != after]


def shown_once(expression: str, zone: ZoneInfo, first: datetime, last: datetime) -> list[datetime]:
    """When a walk first meets the wall times of an expression: those it meets again are not counted, those that the
    clock leaps over are met with the minute after them."""
    minute, hour, _, _, weekday = expression.split()
    wanted_minutes = {int(part) for part in minute.split(",")}
    wanted_hours = {"2": {2}, "1-3": {1, 2, 3}, "*/6": {0, 6, 12, 18}}[hour]
    found: dict[datetime, datetime] = {}
    clock = (first - timedelta(days=2)).astimezone(zone).replace(tzinfo=None)
    for moment, wall in walls(zone, first - timedelta(days=2), last):
        shown = wall.replace(tzinfo=None)
        while clock < shown:
            clock += MINUTE
            fits = clock.minute in wanted_minutes and clock.hour in wanted_hours
            if fits and (weekday == "*" or clock.isoweekday() <= 5):
                found.setdefault(clock, moment)
    return [moment for moment in sorted(set(found.values())) if first < moment < last]
