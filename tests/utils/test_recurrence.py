from datetime import UTC, datetime, timedelta

import pytest

from src.utils.recurrence import Interval, Once
from src.utils.solar import Solar, SolarEvent

pytestmark = pytest.mark.unit

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class TestIntervals:
    @pytest.mark.parametrize(
        ("after", "slot"),
        [(-10 * HOUR, 0 * HOUR), (0 * HOUR, HOUR), (HOUR / 2, HOUR), (HOUR, 2 * HOUR), (9.9 * HOUR, 10 * HOUR)],
    )
    def test_slots_are_counted_from_the_anchor(self, after: timedelta, slot: timedelta) -> None:
        assert Interval(ANCHOR, HOUR).next_run(ANCHOR + after) == ANCHOR + slot


class TestOnce:
    def test_it_comes(self) -> None:
        assert Once(ANCHOR).next_run(ANCHOR - HOUR) == ANCHOR

    def test_it_does_not_come_again(self) -> None:
        assert Once(ANCHOR).next_run(ANCHOR) is None


class TestTheSun:
    def test_sunrise_is_where_the_almanac_has_it(self) -> None:
        # London, 21 June 2026: 03:43 UTC.
        rise = Solar(SolarEvent.SUNRISE, 51.507, -0.128).next_run(datetime(2026, 6, 21, tzinfo=UTC))
        assert rise is not None
        assert abs(rise - datetime(2026, 6, 21, 3, 43, tzinfo=UTC)) < timedelta(minutes=1)

    def test_a_day_has_its_events_in_order(self) -> None:
        start = datetime(2026, 3, 20, 1, tzinfo=UTC)
        events = [Solar(event, 51.507, -0.128).next_run(start) for event in SolarEvent]
        assert events == sorted(event for event in events if event)

    def test_the_polar_night_is_passed_over(self) -> None:
        rise = Solar(SolarEvent.SUNRISE, 69.65, 18.96).next_run(datetime(2026, 12, 1, tzinfo=UTC))
        assert rise is not None
        assert rise.month == 1

    def test_the_next_event_is_later_than_an_event(self) -> None:
        noon = Solar(SolarEvent.SOLAR_NOON, 0, 0)
        first = noon.next_run(ANCHOR)
        assert first is not None
        second = noon.next_run(first)
        assert second is not None
        assert second - first > timedelta(hours=23)

    def test_nothing_rises_at_a_pole(self) -> None:
        assert Solar(SolarEvent.DAWN_CIVIL, 90, 0).next_run(ANCHOR) is None
